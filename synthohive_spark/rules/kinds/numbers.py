"""What kinds of rules on numbers share: which SQL reads an input without overflow, which targets are meant."""

from __future__ import annotations

from collections.abc import Sequence

from synthohive_spark.rules.evidence import Column, Vector

BASES = (10, 24, 60, 100, 1000)  # of digits, hours, minutes and seconds, percent and thousands


def integer(position: int, column: Column) -> str:
    """An input as a bigint."""
    name = f"{{{position}}}"
    return name if column.type == "bigint" else f"try_cast({name} as bigint)"


def wide(position: int, column: Column) -> str:
    """An input in a type wide enough to compute in."""
    return integer(position, column) if column.family == "integer" else f"{{{position}}}"


def whole(column: Column) -> bool:
    """Targets of whole numbers."""
    return column.whole


def first(inputs: Sequence[Vector]) -> Vector:
    """The only input as it is."""
    return inputs[0]
