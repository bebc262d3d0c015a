"""The columns of a table: types, roles, and how those look that no model draws."""

from __future__ import annotations

from typing import Any, Literal

from synthohive_spark.personal import Action, in_short, is_faked, is_rewritten
from synthohive_spark.privacy.fakes.plan import FAKED, Fake, FakeRows
from synthohive_spark.schema.key_format import KeyFormat
from synthohive_spark.schema.unique_numbers import Apart
from synthohive_spark.strict import Strict
from synthohive_spark.tables import CHAR_VARCHAR, Constraint

Role = Literal["model", "surrogate", "unique", "sequence", "grid", "foreign", "shape", "derived", "copied", "given"]
DECLARED = "declared"  # the evidence of what a person said
NAN = "NaN"  # behind the name of a column of floats: whether it is NaN, which no model tells from null
DATED = ("date", "timestamp", "timestamp_ntz")  # types of dates of birth that a model can draw


class ColumnPlan(Strict):
    """One column of a table.

    Attributes:
        role: ``model`` is learnt; ``surrogate`` a primary key made from the row's position; ``unique`` another column
            without repetition, made likewise; ``sequence`` the part of a
            natural key that is drawn without replacement within a family; ``grid`` a natural key made from the row's
            position; ``foreign`` comes from a parent; ``shape`` is text or personal data, written as random values of
            the same shape; ``derived`` is computed by SQL; ``copied`` equals a column of an ancestor;
            ``given`` follows from keys, before the model draws, which sees it.
    """

    name: str
    type: str
    role: Role


class ShapePlan(Strict):
    """Text or personal data: what is kept of it is its shape.

    Attributes:
        null_share: share of nulls.
        format: masks of strings; None for numbers and dates.
        low, high: the 5th and 95th percentile of numbers, days, microseconds or numbers of bytes; of few rows a
            coarse range around them.
        fake: it is written as values of its kind, not as its shape.
    """

    null_share: float
    format: KeyFormat | None = None
    low: float = 0.0
    high: float = 0.0
    fake: Fake | None = None


class Treatment(Strict):
    """A personal column: why it is one, and what is done about it.

    Attributes:
        kind: what its values are, one of ``personal.KINDS``.
        action: what is done with them.
        evidence: why it is personal, in words; without a value.
    """

    kind: str
    action: Action
    evidence: str

    @property
    def in_short(self) -> dict[str, str]:
        """What a log says of it."""
        return {"kind": self.kind, "action": in_short(self.action), "evidence": self.evidence}

    def learnt(self, spark_type: str) -> bool:
        """Whether a model draws it: a date of birth, which decides too much of a life to be any day of a century."""
        return self.kind == "birth_date" and self.action == "fake" and spark_type in DATED


def nan_name(column: str) -> str:
    """The name under which a model draws whether a column of floats is NaN; only where the sample holds any."""
    return f"{column}:{NAN}"


class ColumnsPlan(Strict):
    """All columns of a table.

    Attributes:
        each: the columns, in the order of the table.
        spark_schema: the table's schema (``StructType.jsonValue``): names, types, nullability, comments.
        shapes: how columns of the role ``shape`` look.
        apart: {modelled number: how it is made unique}.
        bounds: the constraints that people declared, and the CHECKs of the source.
        personal: the personal columns, declared or found, but for those that are kept.
        fakes: what the fakes of a row have in common.
        secret: where the key of hashes is, which is no part of a plan; None where nothing is hashed.
    """

    each: tuple[ColumnPlan, ...]
    spark_schema: dict[str, Any]
    shapes: dict[str, ShapePlan] = {}
    apart: dict[str, Apart] = {}
    bounds: tuple[Constraint, ...] = ()
    personal: dict[str, Treatment] = {}
    fakes: FakeRows = FakeRows()
    secret: str | None = None

    @property
    def rewritten(self) -> dict[str, Action]:
        """{column that is made here and written as something else: how}."""
        own = self.named("shape", "unique")
        return {c: t.action for c, t in self.personal.items() if is_rewritten(t.action) and c in own}

    @property
    def faked(self) -> dict[str, Fake]:
        """{column of the role ``shape`` that is written as fakes: how they look}."""
        return {c: s.fake for c, s in self.shapes.items() if s.fake is not None}

    @property
    def blurred(self) -> list[str]:
        """Personal dates that a model draws: no sample holds their days."""
        types = self.types()
        learnt = {c for c, t in self.personal.items() if t.learnt(types[c])}
        return [c for c in self.named("model") if c in learnt]

    @property
    def kinds(self) -> dict[str, str]:
        """{column that is written as fakes, or repeats those of an ancestor: their kind}."""
        told = {c: t.kind for c, t in self.personal.items() if is_faked(t.action) and t.kind in FAKED}
        return {**told, **{c: fake.kind for c, fake in self.faked.items()}}

    def role(self, column: str) -> Role:
        """The role of a column."""
        return next(c.role for c in self.each if c.name == column)

    @property
    def drawn(self) -> list[str]:
        """Columns that are drawn for each row anew, by the model or as their shape."""
        return [c for c in self.named("model", "shape") if c not in self.faked]

    def named(self, *roles: Role) -> list[str]:
        """Columns of these roles, in the table's order."""
        return [c.name for c in self.each if c.role in roles]

    @property
    def shown(self) -> list[str]:
        """Columns of the row that are made before the model draws, which sees them."""
        return self.named("sequence", "grid", "given")

    def types(self) -> dict[str, str]:
        """{column: Spark type}."""
        return {c.name: c.type for c in self.each}

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
        drawn = self.drawn
        return [law.sql for law in self.bounds if law.expression is not None or law.column not in drawn]
