"""Laws between the columns of a row: found on a sample, verified on the whole table, derived instead of generated."""
