"""What is known of a table before a row of it is generated: the role of each column, its keys, its context.

A plan holds aggregates of the source only, is JSON, and is kept with the model: plan, model and parents are all that
generation needs.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from synthohive_spark.metadata import CHAR_VARCHAR, Constraint
from synthohive_spark.randomness import Ints
from synthohive_spark.relational.keyformat import KeyFormat
from synthohive_spark.strict import Strict

Role = Literal["model", "surrogate", "sequence", "grid", "foreign", "shape", "derived", "copied"]
KeyRole = Literal["driving", "drawn", "bound", "late", "implied", "self"]
NAN = "NaN"  # behind the name of a column of floats: whether it is NaN, which no model tells from null
SAME = "="  # behind the name of a column: whether it equals the ancestor's
SHAPED = "rare values, written as their shape"
REPEATED = "repeats a key of its parent, or values that are written as their shape"
DEGREE = "#"  # the name under which context holds a family's size, or a drawn parent's number of children


class ColumnPlan(Strict):
    """One column of a table.

    Attributes:
        role: ``model`` is learnt; ``surrogate`` a primary key made from the row's position; ``sequence`` the part of a
            natural key that is drawn without replacement within a family; ``grid`` a natural key made from the row's
            position; ``foreign`` comes from a parent; ``shape`` is text or personal data, written as random values of
            the same shape; ``derived`` is computed by SQL; ``copied`` equals a column of an ancestor.
    """

    name: str
    type: str
    role: Role


class ForeignKeyPlan(Strict):
    """One foreign key.

    Attributes:
        position: its index in the metadata of the table.
        role: ``driving`` makes families; ``drawn`` takes a parent's row under that parent's degree; ``bound`` does so
            among the parents that agree with the row in the ``tie``; ``late`` closes a cycle of tables, so its parents
            are known by position only; ``implied`` follows from a wider key that holds its columns; ``self`` refers to
            the table itself.
        null_share: share of source rows where it is null.
        law: children per parent, as ``LinkageModel.to_dict``.
        tie: pairs (column of the driving parent, column of this parent) that agree on every row.
        target: for ``late``: how the parents' keys look.
    """

    position: int
    columns: tuple[str, ...]
    references: str
    referenced_columns: tuple[str, ...]
    role: KeyRole
    null_share: float
    law: dict[str, Any]
    tie: tuple[tuple[str, str], ...] = ()
    target: KeyFormat | None = None


class Forest(Strict):
    """The shape of a self-reference: trees by level.

    Attributes:
        position: the key's index in the metadata of the table.
        levels: rows of each level in the source, roots first.
        laws: children per row of each level that has a level below, as ``LinkageModel.to_dict``.
        loops: roots refer to themselves instead of being null.
    """

    position: int
    levels: tuple[int, ...]
    laws: tuple[dict[str, Any], ...]
    loops: bool = False


class NullPattern(Strict):
    """Which of the drawn keys are set together, and how often.

    Attributes:
        set_keys: one flag per key of ``TablePlan.dealt``, in its order.
        share: share of the source's rows with (or without) a driving parent.
    """

    set_keys: tuple[bool, ...]
    share: float


class ContextColumn(Strict):
    """One column of an ancestor that the table's model sees.

    Attributes:
        name: how the model knows it: the path of keys and the column.
        path: positions of the foreign keys to follow, from the table upwards.
        column: its name in the ancestor; ``DEGREE`` for the number of its children.
        verbatim: the ancestor is a reference table, so that its copy holds rare values too.
        hidden: no model sees it: a text or a key that other columns equal.
    """

    name: str
    path: tuple[int, ...]
    column: str
    type: str
    verbatim: bool = False
    hidden: bool = False


class SequencePlan(Strict):
    """The key column that makes rows of a family distinct.

    Attributes:
        column: its name.
        format: how the j-th value looks: ``start`` and ``step`` of the whole domain, or masks of strings.
        size: values in the domain.
        consecutive: the family's values follow each other; else they are spread over the domain.
        starts: positions in the domain where families begin, as quantiles.
        calendar: where families share gaps (a shop is closed on Sundays): the steps from the start that are values of
            the domain, as runs (first, length). () where all are.
    """

    column: str
    format: KeyFormat
    size: int
    consecutive: bool
    starts: tuple[int, ...] = (0,)
    calendar: tuple[tuple[int, int], ...] = ()

    def steps(self, index: Ints) -> Ints:
        """Steps from the start to the values at positions of the domain, shape (n,); behind its end all are values."""
        if not self.calendar:
            return index
        first, length = np.array(self.calendar, np.int64).T
        ends = np.cumsum(length)
        run = np.minimum(np.searchsorted(ends, index, side="right"), len(ends) - 1)
        found: Ints = first[run] + index - (ends - length)[run]
        return found


class ShapePlan(Strict):
    """Text or personal data: what is kept of it is its shape.

    Attributes:
        null_share: share of nulls.
        format: masks of strings; None for numbers and dates.
        low, high: the 5th and 95th percentile of numbers, days or microseconds.
        scale: decimals of a number.
    """

    null_share: float
    format: KeyFormat | None = None
    low: float = 0.0
    high: float = 0.0


class After(Strict):
    """What a time is never before: the model learns how long after the last of them it lies.

    Attributes:
        own: times of the same row.
        seen: names of times in its context.
        step: microseconds of the grid that it lies on; 0 for dates.
    """

    own: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    step: int = 0

    @property
    def text(self) -> str:
        """The names, for people."""
        return " or ".join((*self.own, *self.seen))


class Relative(Strict):
    """What a number is a multiple of: the model learns by how much.

    Attributes:
        seen: the name of an ancestor's number in the context.
        scale: decimals that it is rounded to; None for no rounding.
    """

    seen: str
    scale: int | None = None


def degree_name(columns: tuple[str, ...]) -> str:
    """The context column that holds the number of children of the parent behind a key."""
    return f"{'+'.join(columns)}:{DEGREE}"


def same_name(column: str) -> str:
    """The name under which a model draws whether a column equals the one that ``TablePlan.near`` names."""
    return f"{column}:{SAME}"


def nan_name(column: str) -> str:
    """The name under which a model draws whether a column of floats is NaN; only where the sample holds any."""
    return f"{column}:{NAN}"


class TablePlan(Strict):
    """A table, ready to be sampled, trained and generated.

    Attributes:
        rows: rows of the source.
        spark_schema: the table's schema (``StructType.jsonValue``): names, types, nullability, comments.
        unit_columns: columns of the driving parent that keep families together in one unit of work.
        surrogate: the format of the surrogate key.
        grid: the columns of a natural key that no family keeps apart; positions count through their product.
        patterns: which drawn keys are null together, on rows with a driving parent; ``free_patterns`` on the others.
        linked: foreign keys alone make the primary key, so that no family may hold a drawn parent twice.
        derived: SQL of columns that follow from others, declared or found, in the order in which it is applied. Columns
            with another role than ``derived`` have a value before: the law holds for some rows, or makes nulls.
        copied: {column: the context column that it equals}.
        absent: {column: those of which any makes it null}; ``derived`` sees to it, so the model need not learn it.
        after: {time: what it is never before}, bases first.
        relative: {number: what it is a multiple of}.
        near: {protected text: the context column that it equals on most rows}; the model draws on which, as
            ``same_name``.
        bounds: the constraints that people declared.
        tiebreak: the modelled key column that is drawn again where a primary key would repeat.
    """

    table: str
    rows: int
    spark_schema: dict[str, Any]
    primary_key: tuple[str, ...]
    columns: tuple[ColumnPlan, ...]
    foreign_keys: tuple[ForeignKeyPlan, ...]
    context: tuple[ContextColumn, ...]
    unit_columns: tuple[str, ...] = ()
    surrogate: KeyFormat | None = None
    sequence: SequencePlan | None = None
    grid: tuple[SequencePlan, ...] = ()
    forest: Forest | None = None
    patterns: tuple[NullPattern, ...] = ()
    free_patterns: tuple[NullPattern, ...] = ()
    linked: bool = False
    tiebreak: str | None = None
    shapes: dict[str, ShapePlan] = {}
    derived: dict[str, str] = {}
    copied: dict[str, str] = {}
    absent: dict[str, tuple[str, ...]] = {}
    after: dict[str, After] = {}
    relative: dict[str, Relative] = {}
    near: dict[str, str] = {}
    bounds: tuple[Constraint, ...] = ()
    reference: bool = False

    def named(self, *roles: Role) -> list[str]:
        """Columns of these roles, in the table's order."""
        return [c.name for c in self.columns if c.role in roles]

    @property
    def protected(self) -> dict[str, str]:
        """Columns whose values mean nothing, and why: shapes, and copies of what no model sees."""
        hidden = {c.name for c in self.context if c.hidden}
        copies = [c for c, seen in self.copied.items() if seen in hidden]
        return {**dict.fromkeys(self.named("shape"), SHAPED), **dict.fromkeys(copies, REPEATED)}

    @property
    def shown(self) -> list[ContextColumn]:
        """What the model sees of the ancestors."""
        return [c for c in self.context if not c.hidden]

    def types(self) -> dict[str, str]:
        """{column: Spark type}."""
        return {c.name: c.type for c in self.columns}

    def widths(self) -> dict[str, int]:
        """{text column: characters that it holds}, where its type says so."""
        declared = {f["name"]: f["metadata"].get(CHAR_VARCHAR) for f in self.spark_schema["fields"]}
        return {c: int(t[t.index("(") + 1 : -1]) for c, t in declared.items() if t is not None}

    def nullable(self, column: str) -> bool:
        """Whether a column may be null."""
        return any(f["name"] == column and f["nullable"] for f in self.spark_schema["fields"])

    @property
    def expressions(self) -> list[str]:
        """What people declared of each row, in Spark SQL, but for bounds of drawn columns: those are cut in Python."""
        drawn = self.named("model", "shape")
        return [law.sql for law in self.bounds if law.expression is not None or law.column not in drawn]

    @property
    def driving(self) -> ForeignKeyPlan | None:
        """The key that makes families; None for a root."""
        return next((fk for fk in self.foreign_keys if fk.role == "driving"), None)

    @property
    def dealt(self) -> list[ForeignKeyPlan]:
        """Keys whose parents are dealt to the rows of a unit, wider keys first."""
        keys = [fk for fk in self.foreign_keys if fk.role in ("drawn", "bound", "late")]
        return sorted(keys, key=lambda fk: (-len(fk.columns), fk.position))

    @property
    def first_null(self) -> int | None:
        """The first of ``dealt`` that some rows with a driving parent have and others do not."""
        mixed = [len({p.set_keys[i] for p in self.patterns}) > 1 for i in range(len(self.dealt))]
        return mixed.index(True) if True in mixed else None

    @property
    def tie(self) -> tuple[str, ...]:
        """Columns of the driving parent that keep a unit together: those that bound keys agree on, else its key."""
        bound = [fk for fk in self.dealt if fk.role == "bound"]
        return tuple(column for column, _ in bound[0].tie) if bound else self.unit_columns
