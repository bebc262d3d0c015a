"""Generate the synthetic lake. See ``--help``."""

from synthohive_spark.cli import generate

if __name__ == "__main__":
    generate()
