"""From plan, model and the parents in the target lake to the rows of one table.

``families`` counts rows per parent, ``parent_assignment`` gives the other parents, ``batch`` makes the rows of one
generation batch in a Python worker, ``constraints`` draws again what breaks a declared expression, ``stage`` is the
frame of it all.
"""
