"""Look whether a run can work here. See ``--help``."""

from synthohive_spark.cli import doctor

if __name__ == "__main__":
    doctor()
