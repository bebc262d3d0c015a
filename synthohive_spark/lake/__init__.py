"""Delta tables: reading and writing them, the pinned source, what a table declares, which places lie apart."""
