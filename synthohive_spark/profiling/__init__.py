"""From the source to plans: Spark aggregates on keys, formats, shapes and rules. Nothing here grows with the rows."""
