"""Aggregates of children in a column of their parent: searched on whole families, verified by Spark on all rows."""
