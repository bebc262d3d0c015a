"""Which parents go together in one row: learnt on the sample, applied when parents are assigned."""
