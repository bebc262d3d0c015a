"""The steps in which the rows of a batch are made, one file each; ``batch.steps`` puts them in order.

A step is a function of a ``BatchState`` that gives the next one: parents, keys, values, rules, uniqueness, references.
"""
