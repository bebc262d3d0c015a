"""What the model of a table sees of the row's ancestors."""

from __future__ import annotations

from collections.abc import Mapping

from synthohive_spark.strict import Strict

DEGREE = "#"  # the name under which context holds a family's size, or a drawn parent's number of children


class ContextColumn(Strict):
    """One column of an ancestor that the table's model sees.

    Attributes:
        name: how the model knows it: the path of keys and the column.
        path: positions of the foreign keys to follow, from the table upwards.
        column: its name in the ancestor; ``DEGREE`` for the number of its children.
        verbatim: the ancestor is a reference table, so that its copy holds rare values too.
        hidden: no model sees it: a text or a key that other columns equal, or what only a rule needs.
        passing: it becomes what the ancestor's children say once these are written, so that no rule may rest on it.
        holder: positions of the keys that lead to whom the ancestor is about.
        meaning: its values are values of the copy: no key, and no text that is written as its shape.
    """

    name: str
    path: tuple[int, ...]
    column: str
    type: str
    verbatim: bool = False
    hidden: bool = False
    passing: bool = False
    holder: tuple[int, ...] = ()
    meaning: bool = True


def degree_name(columns: tuple[str, ...]) -> str:
    """The context column that holds the number of children of the parent behind a key."""
    return f"{'+'.join(columns)}:{DEGREE}"


class ContextPlan(Strict):
    """The columns of ancestors that a row is learnt and generated with.

    Attributes:
        each: the columns, in the order in which the model sees them.
    """

    each: tuple[ContextColumn, ...] = ()

    @property
    def shown(self) -> list[ContextColumn]:
        """Those that the model sees."""
        return [c for c in self.each if not c.hidden]

    def behind(self, position: int) -> dict[int, tuple[int, ...]]:
        """Columns behind one foreign key: {their place in ``each``: path from the parent on}; no degree."""
        return {i: c.path[1:] for i, c in enumerate(self.each) if c.path[0] == position and c.column != DEGREE}

    def degree(self, position: int) -> int | None:
        """The place of the column that holds how many children the parent behind a key has."""
        return next((i for i, c in enumerate(self.each) if c.path == (position,) and c.column == DEGREE), None)

    def types(self) -> Mapping[str, str]:
        """{name of each column that the model sees: Spark type}."""
        return {c.name: c.type for c in self.shown}
