"""Laws, and the kinds of them: how each is searched on a sample, what it is as SQL, what the plan keeps of it.

A kind is a subclass of ``Kind`` in one file of ``kinds/``; defining it registers it. docs/rules.md writes one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Protocol

from pyspark.sql import DataFrame

from synthohive_spark.privacy.support import Support
from synthohive_spark.rules.evidence import Reach, Sample
from synthohive_spark.schema.context import ContextColumn
from synthohive_spark.schema.rule import Rule

KINDS: dict[str, Kind] = {}
WAY = "way"  # among the facts of a law: its decision


@dataclass(frozen=True)
class Law:
    """What a search found: one column follows from others.

    Attributes:
        kind: the name of its kind.
        target: id of the column that follows from the others; ids are ``v0``.. for a table's own columns by position,
            ``c0``.. for what it sees of its ancestors.
        inputs: ids of the others.
        sql: Spark SQL with ``{0}``, ``{1}`` for the inputs. It holds no value of the data but structural constants.
        reach: ``whole`` gives every row; ``fill`` every row where it is not null, the others keep what the model drew;
            ``part`` is as ``fill`` and leaves nulls of the model null.
        zone: the time zone that a part of a time is taken in.
        distinct: distinct values of the target in the sample.
        step: of a time, microseconds of the coarsest grid (days, hours ...) that it lies on; 0 for dates.
            Of a ratio, the decimals that the number is rounded to; -1 for all. Of a dictionary, how many of the inputs
            are numbers.
        facts: what else its kind found of it, as values of JSON; no value of the data but coarse ones.
        slack: by how much a number may be off: some units of its last digit, where it was rounded on the way.
    """

    kind: str
    target: str
    inputs: tuple[str, ...]
    sql: str
    reach: Reach = "whole"
    zone: str = ""
    distinct: int = 0
    step: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict, hash=False)
    slack: float = 0.0

    @property
    def data(self) -> str:
        """A decision as JSON (``rules/branches.py``); ``sharpen`` completes it before it is verified."""
        return str(self.facts.get(WAY, ""))

    def expression(self, names: Mapping[str, str], types: Mapping[str, str]) -> str:
        """Spark SQL that the target equals on every row.

        Args:
            names: reference to each column, by id.
            types: Spark type of each column, by id.
        """
        return KINDS[self.kind].expression(self, names, types)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Law:
        """The inverse of ``to_dict``."""
        return cls(**{**state, "inputs": tuple(state["inputs"])})


class Searched(Protocol):
    """The table whose laws were found, as ``Kind.rules`` asks about it."""

    @property
    def names(self) -> Mapping[str, str]:
        """Names of the table's own columns, by id."""

    @property
    def references(self) -> Mapping[str, str]:
        """How SQL names columns, those of ancestors too, by id."""

    @property
    def types(self) -> Mapping[str, str]:
        """Spark types of these, by id."""

    @property
    def drawn(self) -> Collection[str]:
        """Ids of columns that the model may draw."""

    @property
    def given(self) -> Collection[str]:
        """Ids of columns that the model sees before it draws: key parts made from positions, and shown ancestors."""

    def context(self, column: str) -> ContextColumn | None:
        """The ancestor's column behind an id; None for one of the table's own."""

    def key(self, column: str) -> tuple[str, ...]:
        """Columns of the key that leads to the ancestor's column behind an id."""

    def above(self, columns: Iterable[str]) -> tuple[str, ...]:
        """Names in the context of those of some columns that are ancestors'."""


@dataclass(frozen=True)
class Decided:
    """Names of the columns that laws of values, or people, decide already.

    Attributes:
        whole: on every row.
        valued: on some rows or on every row.
        nulls: on which a law says only where they are null.
        exact: those of them on which it says so of every row.
        ruled: that have a rule of a kind before this one.
        late: that have their values only when all is drawn.
        after: {id of a column that follows from others: ids of these}.
    """

    whole: frozenset[str]
    valued: frozenset[str]
    nulls: frozenset[str] = frozenset()
    exact: frozenset[str] = frozenset()
    ruled: frozenset[str] = frozenset()
    late: frozenset[str] = frozenset()
    after: Mapping[str, frozenset[str]] = field(default_factory=dict)


class Kind(ABC):
    """One kind of law. A subclass that has a ``name`` is registered, and takes part in every search.

    Attributes:
        name: how laws and plans call it.
        order: kinds are asked, and preferred where several fit, by this number: simple ones first.
        verified: Spark checks its laws on every row; else the model learns how often they hold.
        tabled: its laws are checked and written down as dictionaries, group by group.
        listed: its laws hold a constant for each of some cases.
        impersonal: its laws hold no value of a person, so that columns declared personal take part.
        tells_nulls: its laws say only where a column is null.
        asks_nulls: they only ask where others are, too.
        views: {name: Spark SQL of a text ``{0}``}: further columns that the sample holds of each text of the row.
    """

    name: ClassVar[str] = ""
    order: ClassVar[int]
    verified: ClassVar[bool] = True
    impersonal: ClassVar[bool] = False
    tabled: ClassVar[bool] = False
    listed: ClassVar[bool] = False
    tells_nulls: ClassVar[bool] = False
    asks_nulls: ClassVar[bool] = False
    views: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.name:
            KINDS[cls.name] = cls()

    @abstractmethod
    def search(self, sample: Sample) -> list[Law]:
        """Laws that no row of the sample refutes and that chance does not explain."""

    def expression(self, law: Law, names: Mapping[str, str], types: Mapping[str, str]) -> str:
        """Spark SQL that the target of a law equals on every row: by default what the law says."""
        return law.sql.format(*(names[i] for i in law.inputs))

    def measured(self, law: Law, frame: DataFrame, types: Mapping[str, str], support: Support) -> Law | None:
        """A verified law with what it takes from all rows; None where they do not bear it.

        Args:
            law: the law.
            frame: the whole table, columns named by id.
            types: Spark type of each column, by id.
            support: who must hold a value before a plan may name it.
        """
        return law

    def rules(self, laws: Iterable[Law], table: Searched, decided: Decided) -> list[Rule]:
        """What the plan keeps of the kind's laws that hold; laws of values are chosen among together instead."""
        return []
