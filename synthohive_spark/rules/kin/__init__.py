"""What the rows of one parent have together: searched on whole families, verified by Spark on all of them."""
