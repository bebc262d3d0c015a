"""Train one model per table. See ``--help``."""

from synthohive_spark.cli import train

if __name__ == "__main__":
    train()
