"""SynthoHive for Spark."""
