"""Say what a run would do and cost. See ``--help``."""

from synthohive_spark.cli import plan

if __name__ == "__main__":
    plan()
