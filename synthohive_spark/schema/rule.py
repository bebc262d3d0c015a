"""Rules of a table: what holds between a column of a row and others, as plan, training and workers use it.

A kind of rule is a subclass of ``Rule`` in one file of ``rules/kinds``; docs/rules.md writes one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import pandas as pd
from pydantic import SerializeAsAny, ValidatorFunctionWrapHandler, WrapValidator
from pyspark.sql import Column

from synthohive_spark.randomness import Ints
from synthohive_spark.schema.columns import Role
from synthohive_spark.schema.context import ContextColumn, ContextPlan
from synthohive_spark.schema.conversion import Mask, Values
from synthohive_spark.schema.frames import hidden
from synthohive_spark.sql import quote
from synthohive_spark.strict import Strict

Ancestor = Callable[[str], str]
KINDS: dict[str, type[Rule]] = {}
EXACT = 1e-9  # relative error that floating-point sums may have


@dataclass(frozen=True)
class Siblings:
    """Rows of a batch, by families; of a family that is cut into slices only the rows of one.

    Attributes:
        owner: the family of each row; rows of one stand together, in their order. Shape (rows,).
        begun: per family, whether earlier rows of it are in another slice. Shape (families,).
        ended: per family, whether later ones are.
        context: what the rows see of their ancestors.
        index: the position of each row in the table.
    """

    owner: Ints
    begun: Mask
    ended: Mask
    context: Mapping[str, Values]
    index: Ints

    @classmethod
    def whole(cls, owner: Ints, context: Mapping[str, Values] | None = None) -> Siblings:
        """Families of which none is cut."""
        none = np.zeros(int(owner.max(initial=-1)) + 1, bool)
        return cls(owner, none, none, context or {}, np.arange(len(owner), dtype=np.int64))


class Rule(Strict, ABC):
    """One rule of a table. A kind overrides what it needs; what it does not override changes nothing.

    Attributes:
        kind: the name of the subclass's kind, a literal with a default.
        column: the column that the rule speaks of.
    """

    needs: ClassVar[Role | None] = None  # the role that its column must have in the end, else the rule is dropped
    binding: ClassVar[bool] = True  # every row keeps it; else it says what is usual

    kind: str
    column: str

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Register the kind, so that a plan that holds one can be read."""
        KINDS[cls.model_fields["kind"].default] = cls

    @property
    def name(self) -> str:
        """How the log calls the rule, and the metadata where they switch it off."""
        return f"{self.kind}.{self.column}"

    @property
    def gives(self) -> Role | None:
        """The role that its column has because of it."""
        return None

    @property
    def seen(self) -> tuple[str, ...]:
        """Names of the context columns that it needs."""
        return ()

    @abstractmethod
    def text(self, ancestor: Ancestor) -> str:
        """The rule as a person reads it, behind the column's name; ``ancestor`` words a context column by its name."""

    @property
    def sql(self) -> str | None:
        """Spark SQL that gives the column when all else of the row is made; None where Spark has nothing to do.

        It names columns of the row, and what is ``seen`` of ancestors as ``frames.hidden``.
        """
        return None

    def check(self, types: Mapping[str, str]) -> str | None:
        """Spark SQL that is true on every row of a copy that keeps the rule; None where nothing can be asked of a row.

        It names own columns as they are called, and what the rule sees of ancestors as ``frames.hidden``. By default it
        asks whether a column that Spark gives is what ``sql`` says.

        Args:
            types: Spark types of the table's columns, by name.
        """
        return None if self.sql is None else agrees(quote(self.column), self.sql, types[self.column])

    def evaluated(self, types: Mapping[str, str]) -> Iterator[str]:
        """All Spark SQL that its rows are asked or made by; a plan that is loaded may hold no other.

        Args:
            types: Spark types of the table's columns, by name.
        """
        yield from (sql for sql in (self.sql, self.check(types)) if sql is not None)

    @property
    def aggregated(self) -> tuple[str, ...]:
        """Spark SQL over rows of other tables."""
        return ()

    @property
    def said(self) -> str | None:
        """The Spark SQL of a rule that a person declared, in that person's words."""
        return None

    @property
    def numbers(self) -> tuple[str, ...]:
        """Drawn numbers of the row on which it builds when it decodes others, so that they must stay as they are."""
        return ()

    @property
    def follows(self) -> str:
        """SQL that names the columns which its own SQL needs in their final values."""
        return self.sql or ""

    @property
    def learnt(self) -> bool:
        """Whether its column is learnt however rare its values are: what is rare of them the rule hides."""
        return False

    @property
    def nulls(self) -> bool:
        """Whether all nulls of its column come from it."""
        return False

    @property
    def drawn(self) -> str | None:
        """The name of a boolean that the model draws for the rule; None where it draws nothing more."""
        return None

    def observed(self, own: Column, context: Mapping[str, Column]) -> Column:
        """The boolean of ``drawn`` on rows of the source; by default whether the column is set.

        Args:
            own: the rule's column.
            context: what the rule sees, by name.
        """
        return own.isNotNull()

    def encode(self, data: pd.DataFrame, context: pd.DataFrame, original: pd.DataFrame, seed: int) -> pd.DataFrame:
        """Rows as the model learns them.

        Args:
            data: modelled columns in the dtypes of ``as_model``, some of them encoded by other rules; shape (rows, k).
            context: what the model sees of each row.
            original: the modelled columns before any rule.
            seed: the rule's own.
        """
        return data

    def decode(self, data: pd.DataFrame, context: pd.DataFrame) -> pd.DataFrame:
        """The inverse of ``encode``, for rows that a model drew; each draw of a row is decoded."""
        return data

    def before(self, columns: Mapping[str, Values]) -> Values | None:
        """The column of rows of which the keys are made and nothing is drawn; None where that does not decide it.

        Args:
            columns: the rows' keys, by name.
        """
        return None

    def complete(self, columns: Mapping[str, Values], context: Mapping[str, Values], nullable: bool) -> Values | None:
        """The column of rows whose values are drawn; it is not drawn again afterwards. None leaves it as it is.

        Args:
            columns: the rows' columns, by name.
            context: what they see of their ancestors.
            nullable: whether the column may be null.
        """
        return None

    def among(self, columns: Mapping[str, Values], rows: Siblings) -> dict[str, Values]:
        """Columns of rows as their siblings want them; they are not drawn again afterwards.

        Args:
            columns: the rows' columns, by name.
            rows: their families.
        """
        return {}

    @property
    def origin(self) -> str | None:
        """The parent's column at which a key begins to count the rule's column in a family; None for none."""
        return None

    @property
    def moved(self) -> tuple[str, ...]:
        """The columns of ``among``, and those that it needs as they are."""
        return ()


def worded(sql: str, above: Iterable[str], ancestor: Ancestor) -> str:
    """SQL as it reads in a join with the ancestors.

    Args:
        sql: it names columns of ancestors as ``frames.hidden``.
        above: their names in the context.
        ancestor: words them.
    """
    for name in above:
        sql = sql.replace(quote(hidden(name)), ancestor(name))
    return sql


def agrees(own: str, made: str, spark_type: str, slack: float = 0.0) -> str:
    """Spark SQL: a column is what an expression says, where both are null too, but for a floating-point error.

    Args:
        own: the column.
        made: the expression.
        spark_type: the column's.
        slack: by how much it may be off besides.
    """
    made = f"try_cast(({made}) AS {spark_type})"
    same, inexact = f"{own} <=> {made}", spark_type in ("float", "double")
    if not inexact and not slack:
        return same
    error = f"{EXACT if inexact else 0} * greatest(1, abs({own})) + {slack}D"
    return f"({same}) OR coalesce(abs({own} - {made}) <= {error}, false)"


def _of_its_kind(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    """A rule read as the class that its kind names."""
    if isinstance(value, Mapping):
        kind = value.get("kind")
        if kind not in KINDS:
            raise ValueError(f"no kind of rule is called {kind!r}; known: {', '.join(sorted(KINDS))}")
        return KINDS[kind].model_validate(value)
    return handler(value)


class RulesPlan(Strict):
    """The rules of a table.

    Attributes:
        each: in the order in which they are applied; a rule stands behind those whose columns it builds on.
    """

    each: tuple[Annotated[SerializeAsAny[Rule], WrapValidator(_of_its_kind)], ...] = ()

    @property
    def sql(self) -> dict[str, str]:
        """{column: Spark SQL}, in the order in which it is applied."""
        return {rule.column: rule.sql for rule in self.each if rule.sql is not None}

    @property
    def drawn(self) -> dict[str, Rule]:
        """{boolean that the model draws beside the columns: the rule that asks for it}."""
        return {rule.drawn: rule for rule in self.each if rule.drawn is not None}

    @property
    def completed(self) -> frozenset[str]:
        """Columns that a rule gives once, so that they are not drawn again."""
        given = {r.column for r in self.each if type(r).complete is not Rule.complete}
        return frozenset(given.union(*(r.moved for r in self.each)))

    @property
    def origins(self) -> dict[str, str]:
        """{key column that is counted in families: the parent's column at which it begins}."""
        return {rule.column: rule.origin for rule in self.each if rule.origin is not None}

    def beside(self, context: ContextPlan) -> list[ContextColumn]:
        """What SQL needs of ancestors; it stands beside the row until Spark has computed what follows from it."""
        needed = {name for rule in self.each if rule.sql is not None for name in rule.seen}
        return [c for c in context.each if c.name in needed]

    def behind(self, context: ContextPlan) -> dict[str, str]:
        """{column of an ancestor that rules need to decode what a model draws, which does not see it: its type}."""
        needed = {name for rule in self.each if type(rule).decode is not Rule.decode for name in rule.seen}
        return {c.name: c.type for c in context.each if c.hidden and c.name in needed}

    def columns(self, kinds: Iterable[str]) -> set[str]:
        """Columns with a rule of these kinds."""
        return {rule.column for rule in self.each if rule.kind in {*kinds}}

    def encode(self, data: pd.DataFrame, context: pd.DataFrame, seeds: Callable[[int], int]) -> pd.DataFrame:
        """Rows as the model learns them.

        Args:
            data: modelled columns, shape (rows, k).
            context: what the model sees of each row.
            seeds: the seed of the n-th rule of its kind.
        """
        made, counts = data, dict.fromkeys((r.kind for r in self.each), 0)
        for rule in self.each:
            made = rule.encode(made, context, data, seeds(counts[rule.kind]))
            counts[rule.kind] += 1
        return made

    def decode(self, data: pd.DataFrame, context: pd.DataFrame) -> pd.DataFrame:
        """Rows that a model drew, as they are."""
        for rule in self.each:
            data = rule.decode(data, context)
        return data
