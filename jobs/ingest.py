"""Read a folder of parquet or CSV files into the source lake. See ``--help``."""

from synthohive_spark.cli import ingest

if __name__ == "__main__":
    ingest()
