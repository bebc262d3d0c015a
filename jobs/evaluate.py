"""Compare the synthetic lake with the source. See ``--help``."""

from synthohive_spark.cli import evaluate

if __name__ == "__main__":
    evaluate()
