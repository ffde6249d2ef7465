"""How computations run: threads, seeds, devices, files, secrets. Nothing here knows what an architecture is."""
