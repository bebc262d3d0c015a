"""What is known of a table before a row of it is generated: the role of each column, its keys, its context.

A plan holds aggregates of the source only, is JSON, and is kept with the model: plan, model and parents are all that
generation needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import TopologicalSorter
from typing import Any, Literal

import numpy as np

from synthohive_spark.lake.design import Design
from synthohive_spark.metadata import CHAR_VARCHAR, TEXT, Constraint
from synthohive_spark.randomness import Ints
from synthohive_spark.relational.apart import Apart
from synthohive_spark.relational.assignment import FanOut
from synthohive_spark.relational.keyformat import KeyFormat
from synthohive_spark.strict import Strict

Role = Literal["model", "surrogate", "unique", "sequence", "grid", "foreign", "shape", "derived", "copied"]
KeyRole = Literal["driving", "drawn", "bound", "late", "loose", "implied", "self"]
DEALT = ("drawn", "bound", "late", "loose")  # roles of keys whose parents are assigned to rows that a family has
NAN = "NaN"  # behind the name of a column of floats: whether it is NaN, which no model tells from null
SAME = "="  # behind the name of a column: whether it equals the ancestor's
SHAPED = "rare values, written as their shape"
REPEATED = "repeats a key of its parent, or values that are written as their shape"
DEGREE = "#"  # the name under which context holds a family's size, or a drawn parent's number of children


class ColumnPlan(Strict):
    """One column of a table.

    Attributes:
        role: ``model`` is learnt; ``surrogate`` a primary key made from the row's position; ``unique`` another column
            without repetition, made likewise; ``sequence`` the part of a
            natural key that is drawn without replacement within a family; ``grid`` a natural key made from the row's
            position; ``foreign`` comes from a parent; ``shape`` is text or personal data, written as random values of
            the same shape; ``derived`` is computed by SQL; ``copied`` equals a column of an ancestor.
    """

    name: str
    type: str
    role: Role


class SequencePlan(Strict):
    """The key column that makes rows of a family distinct.

    Attributes:
        column: its name.
        format: how the j-th value looks: ``start`` and ``step`` of the whole domain, or masks of strings.
        size: values in the domain.
        consecutive: the family's values follow each other; else they are spread over the domain.
        starts: positions in the domain where families begin, as quantiles.
        within: columns of the driving parent that keep families apart; () for its whole key.
        calendar: where families share gaps (a shop is closed on Sundays): the steps from the start that are values of
            the domain, as runs (first, length). () where all are.
    """

    column: str
    format: KeyFormat
    size: int
    consecutive: bool
    starts: tuple[int, ...] = (0,)
    within: tuple[str, ...] = ()
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


class PositionKeys(Strict):
    """Columns that follow from the position of a row in its table, so that no two rows agree in them.

    Attributes:
        surrogate: {primary key of one column: its format}.
        unique: {other columns: their formats}.
        null_shares: {column of ``unique``: share of its rows that are null}, where some are.
        grid: the columns of a natural key; positions count through their product.
    """

    surrogate: dict[str, KeyFormat] = {}
    unique: dict[str, KeyFormat] = {}
    null_shares: dict[str, float] = {}
    grid: tuple[SequencePlan, ...] = ()


class ForeignKeyPlan(Strict):
    """One foreign key.

    Attributes:
        position: its index in the metadata of the table; ``loose`` keys, which it does not have, are counted on.
        role: ``driving`` makes families; ``drawn`` takes a parent's row under that parent's degree; ``bound`` does so
            among the parents that agree with the row in the ``tie``; ``late`` closes a cycle of tables, so its parents
            are known by position only; ``loose`` gives the set columns of a driving key that is null in others;
            ``implied`` follows from a wider key that holds its columns; ``self`` refers to the table itself.
        null_share: share of source rows where it is null.
        law: children per parent, as ``LinkageModel.to_dict``.
        required: every row with a driving parent has it.
        turn: when it is assigned; later keys may need earlier ones.
        anchor: the key whose parent it agrees with; None where it agrees with none.
        tie: pairs (column of the anchor's parent, column of this parent) that agree on every row.
        free: some rows have it without its anchor.
        part_of: columns of the parent: only one of the parents that agree in them has children; () for each of them.
        bucket: columns of the driving parent: rows that agree in them have different parents behind this key. () for
            all rows of the table; None where parents may repeat.
        within: positions of keys: the bucket is that of rows with the same parents behind these, too.
        before: positions of keys that tell the rows of the bucket apart after this one, so that it may repeat.
        fan_out: children of the candidates of a group, in classes.
        target: for ``late``: how the parents' keys look.
    """

    position: int
    columns: tuple[str, ...]
    references: str
    referenced_columns: tuple[str, ...]
    role: KeyRole
    null_share: float
    law: dict[str, Any]
    required: bool = False
    turn: int = 0
    anchor: int | None = None
    tie: tuple[tuple[str, str], ...] = ()
    free: bool = False
    part_of: tuple[str, ...] = ()
    bucket: tuple[str, ...] | None = None
    within: tuple[int, ...] = ()
    before: tuple[int, ...] = ()
    fan_out: FanOut = FanOut()
    target: PositionKeys | None = None

    @property
    def grouped(self) -> bool:
        """Its parents are found in Spark, by groups and buckets; units work out those of other keys by themselves."""
        return self.role == "bound" or (self.bucket is not None and not self.once)

    @property
    def once(self) -> bool:
        """No parent has two children, whatever the group."""
        return self.bucket == () and not self.within


class Forest(Strict):
    """The shape of a self-reference: trees by level.

    Attributes:
        position: the key's index in the metadata of the table.
        columns: of the key.
        referenced: the columns that it refers to, made from positions.
        levels: rows of each level in the source, roots first.
        laws: children per row of each level that has a level below, as ``LinkageModel.to_dict``.
        loops: share of the roots that refer to themselves instead of being null.
    """

    position: int
    columns: tuple[str, ...] = ()
    referenced: tuple[str, ...] = ()
    levels: tuple[int, ...]
    laws: tuple[dict[str, Any], ...]
    loops: float = 0.0


class Beside(Strict):
    """A self-reference whose parents are no positions: a row refers to an earlier one of its unit, or to none.

    Attributes:
        columns: of the key; ``own`` are those that no other key gives.
        referenced: the columns that it refers to.
        roots: share of the rows that refer to none.
        loops: rows without a parent refer to themselves instead of being null.
    """

    columns: tuple[str, ...]
    own: tuple[str, ...]
    referenced: tuple[str, ...]
    roots: float
    loops: bool = False


class NullPattern(Strict):
    """Which of the dealt keys rows have together, and how often.

    Attributes:
        set_keys: one flag per key of ``TablePlan.dealt``, in its order: whether it is set, or gives the row a column.
        share: share of the source's rows with (or without) a driving parent.
        nulls: columns of these keys that are null all the same: parts of a key that is null in part.
    """

    set_keys: tuple[bool, ...]
    share: float
    nulls: tuple[str, ...] = ()


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


class ShapePlan(Strict):
    """Text or personal data: what is kept of it is its shape.

    Attributes:
        null_share: share of nulls.
        format: masks of strings; None for numbers and dates.
        low, high: the 5th and 95th percentile of numbers, days, microseconds or numbers of bytes; of few rows a
            coarse range around them.
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


def dealt_order(keys: Iterable[ForeignKeyPlan]) -> list[ForeignKeyPlan]:
    """The dealt ones of a table's keys, in the order in which they are dealt."""
    dealt = [fk for fk in keys if fk.role in DEALT]
    return sorted(dealt, key=lambda fk: (fk.turn, -len(fk.columns), fk.position))


def stages(plans: Mapping[str, TablePlan]) -> list[list[str]]:
    """Tables in the order in which they are made: those of a stage need only tables of earlier ones."""
    needs = {
        name: {fk.references for fk in plan.foreign_keys if fk.role not in ("late", "self")} & {*plans}
        for name, plan in plans.items()
    }
    sorter, order, names = TopologicalSorter(needs), list[list[str]](), list(plans)
    sorter.prepare()
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=names.index)
        order.append(ready)
        sorter.done(*ready)
    return order


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
        together: columns of the driving parent: families that agree in them share a block; () for each its own.
        positions: columns that follow from a row's position.
        forests: self-references across the table; ``beside`` those within a unit.
        patterns: which drawn keys are null together, on rows with a driving parent; ``free_patterns`` on the others.
        derived: SQL of columns that follow from others, declared or found, in the order in which it is applied. Columns
            with another role than ``derived`` have a value before: the law holds for some rows, or makes nulls.
        copied: {column: the context column that it equals}.
        absent: {column: those of which any makes it null}; ``derived`` sees to it, so the model need not learn it.
        after: {time: what it is never before}, bases first.
        relative: {number: what it is a multiple of}.
        apart: {modelled number: how it is made unique}.
        near: {protected text: the context column that it equals on most rows}; the model draws on which, as
            ``same_name``.
        bounds: the constraints that people declared, and the CHECKs of the source.
        design: what the copy declares beside its columns.
        tiebreak: the modelled key column that is drawn again where a primary key would repeat.
    """

    table: str
    rows: int
    spark_schema: dict[str, Any]
    primary_key: tuple[str, ...]
    columns: tuple[ColumnPlan, ...]
    foreign_keys: tuple[ForeignKeyPlan, ...]
    context: tuple[ContextColumn, ...]
    together: tuple[str, ...] = ()
    positions: PositionKeys = PositionKeys()
    sequence: SequencePlan | None = None
    forests: tuple[Forest, ...] = ()
    beside: tuple[Beside, ...] = ()
    patterns: tuple[NullPattern, ...] = ()
    free_patterns: tuple[NullPattern, ...] = ()
    tiebreak: str | None = None
    shapes: dict[str, ShapePlan] = {}
    derived: dict[str, str] = {}
    copied: dict[str, str] = {}
    absent: dict[str, tuple[str, ...]] = {}
    after: dict[str, After] = {}
    relative: dict[str, Relative] = {}
    apart: dict[str, Apart] = {}
    near: dict[str, str] = {}
    bounds: tuple[Constraint, ...] = ()
    reference: bool = False
    design: Design = Design()

    def named(self, *roles: Role) -> list[str]:
        """Columns of these roles, in the table's order."""
        return [c.name for c in self.columns if c.role in roles]

    @property
    def protected(self) -> dict[str, str]:
        """Columns whose values mean nothing, and why: shapes, and copies of what no model sees."""
        hidden = {c.name for c in self.context if c.hidden}
        copies = [c for c, seen in self.copied.items() if seen in hidden]
        texts = [c.name for c in self.columns if c.role == "unique" and c.type.startswith(TEXT)]
        return {**dict.fromkeys([*self.named("shape"), *texts], SHAPED), **dict.fromkeys(copies, REPEATED)}

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
        """Keys whose parents are dealt to the rows of a unit: those that others need first, then wider ones."""
        return dealt_order(self.foreign_keys)

    @property
    def grid(self) -> tuple[SequencePlan, ...]:
        """The columns of a natural key of which none is foreign."""
        return self.positions.grid

    def key_at(self, position: int) -> ForeignKeyPlan:
        """The foreign key at that position of the metadata."""
        return next(fk for fk in self.foreign_keys if fk.position == position)

    def anchored(self, fk: ForeignKeyPlan) -> list[ForeignKeyPlan]:
        """The keys whose parents have to agree with the parent behind ``fk``."""
        return [k for k in self.dealt if k.role == "bound" and k.anchor == fk.position]

    @property
    def first_null(self) -> int | None:
        """The first of ``dealt`` that some rows with a driving parent have and others do not."""
        mixed = [len({p.set_keys[i] for p in self.patterns}) > 1 for i in range(len(self.dealt))]
        return mixed.index(True) if True in mixed else None
