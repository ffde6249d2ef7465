"""What a person does: search, compare, transfer, score, measure, train a generator. Every verb without its argv."""
