"""Train, generate and evaluate. See ``--help``."""

from synthohive_spark.cli import pipeline

if __name__ == "__main__":
    pipeline()
