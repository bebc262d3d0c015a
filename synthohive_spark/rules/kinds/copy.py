"""A column equals another one of the row, or of an ancestor: then it is inherited."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Literal

from synthohive_spark.rules.evidence import Column, Sample
from synthohive_spark.rules.kinds.numbers import first
from synthohive_spark.rules.value_kind import Candidate, ValueKind
from synthohive_spark.schema.columns import Role
from synthohive_spark.schema.conversion import Values
from synthohive_spark.schema.frames import hidden
from synthohive_spark.schema.rule import Ancestor, Rule
from synthohive_spark.sql import quote


class Copy(ValueKind):
    """Every column, also of a type that one cannot compute with."""

    name = "copy"
    order = 0
    casts = False

    def candidates(self, sample: Sample) -> Iterator[Candidate]:
        """Every column as it is."""
        for b in sample.columns:
            yield Candidate((b,), "{0}", first, partial(_same_type, b))


def _same_type(a: Column, b: Column) -> bool:
    """Whether one column can hold the other's values as they are."""
    return a.id != b.id and (a.type == b.type or a.family == b.family == "integer")


class Inherited(Rule):
    """A column equals an ancestor's on every row.

    Attributes:
        source: the name of the ancestor's column in the context.
    """

    kind: Literal["inherited"] = "inherited"
    source: str

    @property
    def gives(self) -> Role | None:
        """It is inherited, whatever it is."""
        return "copied"

    @property
    def seen(self) -> tuple[str, ...]:
        """The ancestor's column."""
        return (self.source,)

    def text(self, ancestor: Ancestor) -> str:
        """The ancestor's column."""
        return ancestor(self.source)

    def check(self, types: Mapping[str, str]) -> str | None:
        """It is what the ancestor has; null without one."""
        return f"{quote(self.column)} <=> {quote(hidden(self.source))}"

    def complete(self, columns: Mapping[str, Values], context: Mapping[str, Values], nullable: bool) -> Values:
        """What the rows see of the ancestor."""
        return context[self.source]
