"""What has to be right before Spark starts: Java, the Delta jars, the code archive, the spark-submit command.

These modules need nothing but the standard library, so that they run before anything else is loaded.
"""
