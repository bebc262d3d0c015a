"""Kinds of rules among the rows of one parent, how each is searched, and what they share in SQL."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from synthohive_spark.rules.kin.sample import Scalar, SiblingSample
from synthohive_spark.rules.kinds.bounds import Bound, Ordered
from synthohive_spark.schema.rule import Rule
from synthohive_spark.sql import quote, text_literal

KIN: dict[str, SiblingKind] = {}


@dataclass(frozen=True)
class Drawn:
    """Which columns of a table rules among siblings may change.

    Attributes:
        columns: those that workers have once the model has drawn.
        named: those that other rules of the row need as they are.
        ordered: the bounds of those that have some.
        bases: {column: columns of the row that it bounds, with the side}.
        parent: how the names of the driving parent's columns begin.
    """

    columns: frozenset[str]
    named: frozenset[str]
    ordered: Mapping[str, Ordered]
    bases: Mapping[str, list[tuple[str, int]]]
    parent: str

    def free(self, column: str) -> bool:
        """Whether a column may have any value of its rows."""
        return column in self.columns and not {column} & {*self.named, *self.ordered, *self.bases}

    def shared(self, column: str) -> bool:
        """Whether siblings may change their values of a column: it has no bounds but the parent's."""
        if column not in self.columns or column in self.named or column in self.bases:
            return False
        rule = self.ordered.get(column)
        return rule is None or all(self.above(b) for b in (*rule.lower, *rule.upper))

    def scaled(self, column: str) -> bool:
        """Whether siblings may share out a number: nothing needs it as it is, and only the parent bounds it, above."""
        rule = self.ordered.get(column)
        return self.shared(column) and (rule is None or not rule.lower)

    def led_by(self, column: str) -> tuple[str, ...] | None:
        """What a column bounds, and what that bounds: siblings exchange all of it at once; None if they may not."""
        led, todo = list[str](), [column]
        while todo:
            for name in dict.fromkeys(n for n, _ in self.bases.get(todo.pop(), ())):
                if name not in (column, *led):
                    led.append(name)
                    todo.append(name)
        for name in (column, *led):
            rule = self.ordered.get(name)
            bounds = (*rule.lower, *rule.upper) if rule is not None else ()
            inside = all(self.above(b) or b.name in (column, *led) for b in bounds)
            if name not in self.columns or name in self.named or not inside:
                return None
        return tuple(led)

    def above(self, bound: Bound) -> bool:
        """Whether a bound is one that all siblings have."""
        return bound.above and bound.name.startswith(self.parent)


class SiblingKind(ABC):
    """One kind. A subclass that has a ``name`` is registered, and takes part in every search.

    Attributes:
        name: how the registry calls it.
        order: rules are applied in this order.
    """

    name: ClassVar[str] = ""
    order: ClassVar[int]

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        if cls.name:
            KIN[cls.name] = cls()

    @abstractmethod
    def search(self, sample: SiblingSample) -> Iterator[Rule]:
        """Rules that no family of the sample refutes and that chance does not explain; those preferred first."""

    @abstractmethod
    def kept(self, rule: Rule, drawn: Drawn) -> Rule | None:
        """The rule as it can be kept in a copy; None where other rules stand against it."""


def over(family: tuple[str, ...], by: str = "", rows: str = "") -> str:
    """The window of a row's siblings, in Spark SQL.

    Args:
        family: columns of the driving key.
        by: SQL of their order.
        rows: which of them.
    """
    order = f" order by {by}" if by else ""
    return f"over (partition by {', '.join(map(quote, family))}{order}{f' rows between {rows}' if rows else ''})"


def in_family(family: tuple[str, ...], sql: str) -> str:
    """Spark SQL that asks nothing of rows without a parent."""
    return f"if({' or '.join(f'{quote(c)} is null' for c in family)}, true, {sql})"


def literal_of(value: Scalar) -> str:
    """A value as a literal of Spark SQL."""
    if value is None:
        return "null"
    return text_literal(value) if isinstance(value, str) else str(value).lower()


def one_of(own: str, values: tuple[Scalar, ...]) -> str:
    """Spark SQL: a column is one of some values, of which null may be one."""
    known = [literal_of(v) for v in values if v is not None]
    said = f"coalesce({own} in ({', '.join(known)}), false)" if known else "false"
    return f"({own} is null or {said})" if None in values else said
