"""What always holds between the columns of a row and its ancestors: searched, verified in Spark, kept in the copy.

Each kind of rule is one file in ``kinds/``, which registers itself.
"""
