"""The plan of a table, as plain data: everything that is known of it before a model is trained or a row is made.

Also what needs nothing but the plan: key formats, the joins that bring ancestors' columns to a row, type conversion.
"""
