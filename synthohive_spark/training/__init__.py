"""From plans to models: the relational sample, and one Spark task per table that fits a model on it."""
