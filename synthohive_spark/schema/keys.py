"""The keys of a table, ready to be made: what each column of a key follows from (docs/keys.md)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np

from synthohive_spark.counts.fan_out import FanOut
from synthohive_spark.graph import KeyPath
from synthohive_spark.randomness import Ints
from synthohive_spark.schema.key_format import KeyFormat
from synthohive_spark.strict import Strict

KeyRole = Literal["driving", "drawn", "bound", "late", "loose", "following", "implied", "self"]
DEALT = ("drawn", "bound", "late", "loose", "following")  # roles of keys that are dealt to the rows that a family has


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

    @property
    def texts(self) -> list[str]:
        """Columns that are texts on every row."""
        formats = {**self.surrogate, **self.unique}
        return [c for c, f in formats.items() if f.kind == "string" and not self.null_shares.get(c)]


class ForeignKeyPlan(Strict):
    """One foreign key.

    Attributes:
        position: its index in the metadata of the table; ``loose`` keys, which it does not have, are counted on.
        role: ``driving`` makes families; ``drawn`` takes a parent's row under that parent's degree; ``bound`` does so
            among the parents that agree with the row in the ``tie``; ``late`` closes a cycle of tables, so its parents
            are known by position only; ``loose`` gives the set columns of a driving key that is null in others;
            ``implied`` follows from a wider key that holds its columns, or from an ancestor (``path``); ``following``
            does so where it is set, and is null on other rows all the same; ``self`` refers to the table itself.
        null_share: share of source rows where it is null.
        distribution: children per parent, as ``LinkageModel.to_dict``.
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
        path: the ancestor's columns that it equals, if there are such; for ``drawn`` on rows that have the key which
            leads there.
        unlike: positions of keys to the same table, given before it, behind which no row has the same parent: nobody
            flies to where he comes from.
    """

    position: int
    columns: tuple[str, ...]
    references: str
    referenced_columns: tuple[str, ...]
    role: KeyRole
    null_share: float
    distribution: dict[str, Any]
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
    path: KeyPath | None = None
    unlike: tuple[int, ...] = ()

    @property
    def follows(self) -> tuple[str, ...]:
        """The names under which rows see the columns of an ancestor that it equals."""
        return () if self.path is None else tuple(f"={c}" for c in self.columns)

    @property
    def grouped(self) -> bool:
        """Its parents are found in Spark, by groups and buckets; batches work out those of other keys by themselves."""
        return self.role == "bound" or (self.bucket is not None and not self.once)

    @property
    def once(self) -> bool:
        """No parent has two children, whatever the group."""
        return self.bucket == () and not self.within


class Hierarchy(Strict):
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
    """A self-reference whose parents are rows of the same batch: a row refers to an earlier one, or to none.

    Attributes:
        columns: of the key; ``own`` are those that no other key gives.
        referenced: the columns that it refers to.
        roots: share of the rows that refer to none.
        loops: rows without a parent refer to themselves instead of being null.
        agree: columns in which a row and the one that it refers to have one value.
        after: the column by which a row is earlier; None for its position in the table.
        falling: whether the row that is referred to has the greater value, instead of the smaller one.
        strict: whether the two values always differ.
        levels: rows of each level in the source, roots first; () where levels were not told apart.
    """

    columns: tuple[str, ...]
    own: tuple[str, ...]
    referenced: tuple[str, ...]
    roots: float
    loops: bool = False
    agree: tuple[str, ...] = ()
    after: str | None = None
    falling: bool = False
    strict: bool = False
    levels: tuple[int, ...] = ()


class NullPattern(Strict):
    """Which of the dealt keys rows have together, and how often.

    Attributes:
        set_keys: one flag per key of ``KeysPlan.dealt``, in its order: whether it is set, or gives the row a column.
        share: share of the source's rows with (or without) a driving parent.
        nulls: columns of these keys that are null all the same: parts of a key that is null in part.
    """

    set_keys: tuple[bool, ...]
    share: float
    nulls: tuple[str, ...] = ()


def dealt_order(keys: Iterable[ForeignKeyPlan]) -> list[ForeignKeyPlan]:
    """The dealt ones of a table's keys, in the order in which they are dealt."""
    dealt = [fk for fk in keys if fk.role in DEALT]
    return sorted(dealt, key=lambda fk: (fk.turn, -len(fk.columns), fk.position))


class KeysPlan(Strict):
    """All keys of a table.

    Attributes:
        primary_key: its columns.
        foreign: the foreign keys.
        together: columns of the driving parent: families that agree in them share a block; () for each its own.
        positions: columns that follow from a row's position.
        sequence: the part of a natural key that makes rows of a family distinct.
        hierarchies: self-references across the table; ``beside`` those within a generation batch.
        patterns: which drawn keys are null together, on rows with a driving parent; ``free_patterns`` on the others.
        tiebreak: the modelled key column that is drawn again where a primary key would repeat.
    """

    primary_key: tuple[str, ...] = ()
    foreign: tuple[ForeignKeyPlan, ...] = ()
    together: tuple[str, ...] = ()
    positions: PositionKeys = PositionKeys()
    sequence: SequencePlan | None = None
    hierarchies: tuple[Hierarchy, ...] = ()
    beside: tuple[Beside, ...] = ()
    patterns: tuple[NullPattern, ...] = ()
    free_patterns: tuple[NullPattern, ...] = ()
    tiebreak: str | None = None

    @property
    def driving(self) -> ForeignKeyPlan | None:
        """The key that makes families; None for a root."""
        return next((fk for fk in self.foreign if fk.role == "driving"), None)

    @property
    def dealt(self) -> list[ForeignKeyPlan]:
        """Keys whose parents are assigned to the rows of a batch: those that others need first, then wider ones."""
        return dealt_order(self.foreign)

    @property
    def following(self) -> list[ForeignKeyPlan]:
        """The keys that follow from ancestors, on some rows or on all."""
        return [fk for fk in self.foreign if fk.path is not None]

    def leading(self, fk: ForeignKeyPlan) -> ForeignKeyPlan | None:
        """The key on whose rows a drawn key follows from an ancestor; None for others."""
        drawn = fk.role == "drawn" and fk.path is not None
        return self.at(fk.path.hops[0]) if drawn and fk.path is not None else None

    @property
    def grid(self) -> tuple[SequencePlan, ...]:
        """The columns of a natural key of which none is foreign."""
        return self.positions.grid

    def at(self, position: int) -> ForeignKeyPlan:
        """The foreign key at that position of the metadata."""
        return next(fk for fk in self.foreign if fk.position == position)

    def anchored(self, fk: ForeignKeyPlan) -> list[ForeignKeyPlan]:
        """The keys whose parents have to agree with the parent behind ``fk``."""
        return [k for k in self.dealt if k.role == "bound" and k.anchor == fk.position]

    def is_movable(self, fk: ForeignKeyPlan) -> bool:
        """Whether rows of a batch may exchange their parents behind a key: nothing outside it was laid out by them.

        That is so where parents repeat freely, or only rows of one driving parent have different ones.
        """
        driving = self.driving
        kin = driving is not None and fk.bucket is not None and {*fk.bucket} == {*driving.referenced_columns}
        led = any(fk.position in k.within for k in self.dealt) or any(k.bucket is not None for k in self.anchored(fk))
        return fk.role in ("drawn", "bound") and (fk.bucket is None or fk.once or kin) and not (fk.before or led)

    @property
    def first_null(self) -> int | None:
        """The first of ``dealt`` that some rows with a driving parent have and others do not."""
        mixed = [len({p.set_keys[i] for p in self.patterns}) > 1 for i in range(len(self.dealt))]
        return mixed.index(True) if True in mixed else None
