"""Files into the source lake: what a Parquet or CSV file holds, written as a Delta table."""
