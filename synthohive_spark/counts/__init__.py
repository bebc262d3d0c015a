"""Children per parent: the distribution learnt from the source, what it depends on, and whole numbers with given sums.

Arithmetic only: no Spark, no plan.
"""
