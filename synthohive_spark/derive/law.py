"""A law: one column of a row as an expression over others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Kind = Literal[
    "copy", "part", "affine", "digits", "sum", "radix", "clock", "product", "ratio",
    "null_when", "after", "near", "relative",
]  # fmt: skip
Reach = Literal["whole", "fill", "part"]
RANK = {k: i for i, k in enumerate(("copy", "part", "affine", "digits", "sum", "radix", "clock", "product", "ratio"))}
NARROW = ("tinyint", "smallint", "int", "decimal")  # a result that does not fit becomes null instead of an error


@dataclass(frozen=True)
class Law:
    """One law of a table.

    Attributes:
        kind: its form; simpler forms come first in ``RANK``. Those that are not in it give no value: they say when the
            target is null, what it is never before, what it mostly equals or is a multiple of.
        target: id of the column that follows from the others; ids are ``v0``.. for a table's own columns by position,
            ``c0``.. for what it sees of its ancestors.
        inputs: ids of the others.
        sql: Spark SQL with ``{0}``, ``{1}`` for the inputs. It holds no value of the data but structural constants.
        reach: ``whole`` gives every row; ``fill`` every row where it is not null, the others keep what the model drew;
            ``part`` is as ``fill`` and leaves nulls of the model null.
        zone: the time zone that a part of a time is taken in.
        distinct: distinct values of the target in the sample.
        step: of a time, microseconds of the coarsest grid (days, hours ...) that it lies on; 0 for dates.
            Of a multiple, the decimals that it is rounded to; -1 for all.
    """

    kind: Kind
    target: str
    inputs: tuple[str, ...]
    sql: str
    reach: Reach = "whole"
    zone: str = ""
    distinct: int = 0
    step: int = 0

    def expression(self, names: Mapping[str, str], types: Mapping[str, str]) -> str:
        """Spark SQL of the target.

        Args:
            names: reference to each column, by id.
            types: Spark type of each column, by id.
        """
        made = self.sql.format(*(names[i] for i in self.inputs))
        own = names[self.target]
        if self.kind == "after":
            return f"if({own} < {made}, null, if({made} is null, null, {own}))"
        if self.kind == "null_when":
            return f"if({made}, null, {own})"
        fraction = types[self.target] == "bigint" and (" / " in made or made.startswith("round("))
        if self.kind != "copy" and (types[self.target].startswith(NARROW) or fraction):
            made = f"try_cast({made} as {types[self.target]})"
        if self.reach == "fill":
            return f"coalesce({made}, {own})"
        return made if self.reach == "whole" else f"if({own} is null, null, coalesce({made}, {own}))"

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Law:
        """The inverse of ``to_dict``."""
        return cls(**{**state, "inputs": tuple(state["inputs"])})
