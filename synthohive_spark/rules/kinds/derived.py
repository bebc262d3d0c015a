"""A column that follows from others, by Spark SQL: what every law that gives values becomes."""

from __future__ import annotations

from typing import Literal

from synthohive_spark.schema.columns import Role
from synthohive_spark.schema.rule import Ancestor, Rule, worded


class Derived(Rule):
    """A column follows from others by Spark SQL, on every row or on those where it says something.

    Attributes:
        expression: Spark SQL of the column.
        whole: it follows on every row, so that no model need know it.
        declared: by a person.
        above: names of columns of ancestors in the context; the expression names them as ``frames.hidden``.
    """

    kind: Literal["derived"] = "derived"
    expression: str
    whole: bool
    declared: bool = False
    above: tuple[str, ...] = ()

    @property
    def seen(self) -> tuple[str, ...]:
        """Columns of ancestors."""
        return self.above

    @property
    def gives(self) -> Role | None:
        """No model need know what follows on every row; what people declared they have said so of."""
        return "derived" if self.whole and not self.declared else None

    @property
    def sql(self) -> str | None:
        """The expression."""
        return self.expression

    @property
    def said(self) -> str | None:
        """The expression, where a person declared it."""
        return self.expression if self.declared else None

    def text(self, ancestor: Ancestor) -> str:
        """The expression."""
        return worded(self.expression, self.above, ancestor)
