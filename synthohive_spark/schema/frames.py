"""The columns that Spark and the Python workers exchange, by name and type: nothing else crosses between them.

Frames of joins
    ``__key0``..     the referenced columns of a parent
    ``__extra0``..   further columns of a parent
    ``__up2_0``..    the key of a parent, by its position, that leads to its own parent; ``__above0``.. the latter
    ``context0``..   a column of an ancestor, by its place in ``ContextPlan.each``
    ``__child0``..   a value that the children of a row have together

Frames of generation (``BATCH_FRAME``): rows are families, heads of batches or parents, told apart by ``kind``
    ``block``, ``slice``   name the generation batch
    ``driving0``..         the driving key of a family
    ``key2_0``..           a key that is assigned, by its position in the metadata
    ``group2``             what a parent behind the key at that position must agree with

Rows on their way from a worker to the table
    ``#synthohive:..``     what does not reach the table: the batch of a row, and what rules in SQL need of ancestors

Frames of training
    ``order``              a hash of the row's key, by which the task sorts
    ``model0``.., ``own0``..   columns that are learnt; key columns of the row that the model sees
    ``rule0``..            a boolean that a rule asks the model to draw
    ``parent2``            who the parent behind a key is, as a hash
    ``person0``..          whom the row, or an ancestor, is about, as a hash, by its place in ``TablePlan.people``
"""

from __future__ import annotations

from dataclasses import dataclass

from synthohive_spark.schema.context import ContextPlan
from synthohive_spark.schema.keys import KeysPlan

BATCH = ("block", "slice")
REFERENCED = "__key"
CHILD = "__child"
FAMILY, HEAD = 0, -1  # kinds of rows; the parents behind the n-th assigned key are of kind n + 1
ORDER = "order"


def context(place: int) -> str:
    """A column of an ancestor."""
    return f"context{place}"


def driving(place: int) -> str:
    """A column of a family's driving key."""
    return f"driving{place}"


def key(position: int, place: int) -> str:
    """A column of an assigned key, in the order of its referenced columns."""
    return f"key{position}_{place}"


def group(position: int) -> str:
    """What the parent behind a key has to agree with."""
    return f"group{position}"


def candidates(position: int) -> str:
    """How many parents agree in ``group``."""
    return f"candidates{position}"


def bucket(position: int) -> str:
    """What families agree in whose rows need different parents behind a key."""
    return f"bucket{position}"


def together(place: int) -> str:
    """A column in which families agree that share a block."""
    return f"__together{place}"


def parent(position: int) -> str:
    """Who the parent behind a key is."""
    return f"parent{position}"


def hidden(name: object) -> str:
    """The name of a column that does not reach the table."""
    return f"#synthohive:{name}"


def person(place: int) -> str:
    """Whom the row, or an ancestor that it sees, is about."""
    return f"person{place}"


def model(place: int) -> str:
    """A column that is learnt."""
    return f"model{place}"


def own(place: int) -> str:
    """A key column of the row itself that its model sees."""
    return f"own{place}"


def rule(place: int) -> str:
    """A boolean that a rule asks the model to draw."""
    return f"rule{place}"


def referenced(place: int) -> str:
    """A referenced column of a parent."""
    return f"{REFERENCED}{place}"


def extra(place: int) -> str:
    """A further column of a parent."""
    return f"__extra{place}"


def child(place: int) -> str:
    """A value that the children of a row have together."""
    return f"{CHILD}{place}"


@dataclass(frozen=True)
class Field:
    """One column of a frame.

    Attributes:
        name: of the column.
        type: of Spark; None for that of the source.
        value: a value of a parent, of which null is one. In other columns null says that the row is of another kind.
    """

    name: str
    type: str | None
    value: bool = False


BATCH_FRAME = (
    Field("block", "bigint"),
    Field("slice", "bigint"),
    Field("kind", "int"),
    # families
    Field("slices", "bigint"),  # of the block
    Field("rank", "bigint"),  # of the family in the table; negative for rows without a parent
    Field("start", "bigint"),  # position in the family of its first row in this slice
    Field("rows", "bigint"),  # of the family in this slice
    Field("total", "bigint"),  # of the family
    Field("shared", "bigint"),  # whom the family counts its sequence with, as a hash
    Field("before", "bigint"),  # rows of these before the family
    Field("before_all", "bigint"),  # rows of all of these
    # heads
    Field("offset", "bigint"),  # rows of the table before the batch
    # parents
    Field("who", "bigint"),  # position on the distribution of children, or rank in the group
    Field("copies", "bigint"),  # rows of the batch that the parent may have
    Field("degree", "bigint"),  # children of the parent in the table
    Field("met", "int"),  # whether a row of the parent was found
    Field("g", "string"),  # the group of candidates that the parent is in
    Field("at", "bigint"),  # the row of the family that the parent is for
)

# Frames on the way there: what buckets ask of the classes of their group (groups.py); parents of batches, or of single
# rows of a family, which become rows of BATCH_FRAME; batches with rows that may take any parent.
DEMAND = "bucket string, g string, class long, start long, asked long, first long, held long"
PARENTS = "block long, slice long, kind int, rank long, at long, g string, who long, copies long, degree long"
SHARES = "block long, slice long, kind int, who long, copies long, degree long, offset long"
FREE = "block long, slice long, g string, size long"


def batch_frame(keys: KeysPlan, seen: ContextPlan) -> tuple[Field, ...]:
    """What a worker gets of a table's batches: ``BATCH_FRAME`` and the table's keys, groups and context."""
    first = keys.driving
    return (
        *BATCH_FRAME,
        *(Field(driving(i), None, True) for i in range(len(first.columns) if first is not None else 0)),
        *(Field(key(fk.position, i), None, True) for fk in keys.dealt for i in range(len(fk.columns))),
        *(Field(group(fk.position), "string") for fk in keys.dealt),
        *(Field(context(i), None, True) for i in range(len(seen.each))),
    )
