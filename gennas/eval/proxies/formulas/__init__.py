"""One zero-cost proxy per file: its formula and its source."""
