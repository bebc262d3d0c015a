"""Key columns from the position of a row in its table: the same for the table itself and for those that refer to it."""

from __future__ import annotations

from synthohive_spark.generation.uniqueness import grid_values
from synthohive_spark.randomness import Ints, seed_of, uniform
from synthohive_spark.schema.conversion import Values
from synthohive_spark.schema.keys import PositionKeys


def position_values(keys: PositionKeys, table: str, index: Ints, total: int, seed: int) -> dict[str, Values]:
    """The key columns of the rows at ``index`` (in [0, total)) of a table of ``total`` rows.

    Args:
        keys: how the columns look.
        table: the table's name, which their randomness hangs on.
        index: positions, shape (n,).
        total: rows of the table.
        seed: the generation seed.

    Returns:
        {column: values, shape (n,)}; each column but those of a grid is unique by itself.
    """
    salt = seed_of(seed, table, "key")
    made = {c: f.values(index, total, salt) for c, f in keys.surrogate.items()}
    for column, form in keys.unique.items():
        own = seed_of(seed, table, "key", column)
        null = uniform(index, own) < keys.null_shares.get(column, 0.0)
        made[column] = form.values(index, total, own).astype(object).mask(null, None)
    return {**made, **(grid_values(keys.grid, index, total) if keys.grid else {})}
