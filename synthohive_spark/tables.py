"""One table as a user declares it: keys, types, constraints, what is personal."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field, field_validator

from synthohive_spark.personal import PersonalColumn
from synthohive_spark.sql import quote, text_literal
from synthohive_spark.strict import Strict

Scalar = str | int | float | bool | None
INTEGRAL = ("tinyint", "smallint", "int", "integer", "bigint", "long", "short", "byte")
TEXT = ("string", "varchar", "char")  # what the names of text types begin with
CARRIED = (*INTEGRAL, "float", "double", "boolean", "binary", "date", "timestamp", "timestamp_ntz", "string")
CHAR_VARCHAR = "__CHAR_VARCHAR_TYPE_STRING"  # where Spark keeps the declared type of a text column


class ForeignKey(Strict):
    """A key of a child table that names a row of a parent table."""

    columns: tuple[str, ...]
    references: str
    referenced_columns: tuple[str, ...]
    nullable: bool = False
    orphans: Literal["error", "null", "drop"] = "error"
    driving: bool = False
    stats: Any = Field(default=None, exclude=True)

    @field_validator("orphans", mode="before")
    @classmethod
    def _yaml_null(cls, value: object) -> object:
        return "null" if value is None else value  # YAML reads a bare null as None


class Constraint(Strict):
    """A law of one table: bounds or allowed values of a column, or a Spark SQL expression that is true on each row."""

    column: str | None = None
    min: Scalar = None
    max: Scalar = None
    allowed: tuple[Scalar, ...] | None = None
    expression: str | None = None

    @property
    def sql(self) -> str:
        """The law as Spark SQL: false where a row breaks it, null where nothing can be said."""
        if self.expression is not None:
            return self.expression
        column = quote(f"{self.column}")
        parts = [f"{column} {sign} {_literal(b)}" for sign, b in ((">=", self.min), ("<=", self.max)) if b is not None]
        if self.allowed is not None:
            known = [_literal(v) for v in self.allowed if v is not None]
            parts.append(f"{column} in ({', '.join(known)})" if known else f"{column} is null")
        return " and ".join(parts) or "true"

    def problems(self, spark_type: str | None = None) -> list[str]:
        """What no column can keep, and what one of that type cannot be held against.

        Args:
            spark_type: of the column; None where it is not known.
        """
        if self.expression is not None:
            said = [word for word in ("min", "max", "allowed") if getattr(self, word) is not None]
            found = [f"{', '.join(said)} beside an expression; say one or the other"] if said else []
            return (
                found if self.expression.strip() else [*found, "an empty expression; write Spark SQL, or leave it out"]
            )
        found = []
        if self.allowed is not None and not self.allowed:
            found.append("allowed is empty, so no value would do; name some, or leave it out")
        if self.min is None and self.max is None and self.allowed is None:
            found.append("neither min, max nor allowed is given; give one of them")
        values = [v for v in (self.min, self.max, *(self.allowed or ())) if v is not None]
        wrong = [] if spark_type is None else [v for v in values if not _comparable(v, spark_type)]
        wrong += [v for v in values if isinstance(v, float) and not math.isfinite(v)]
        found += [f"{v!r} is no value of a column of type {spark_type or 'number'}; correct it" for v in wrong]
        low, high = _number(self.min), _number(self.max)
        texts = isinstance(self.min, str) and isinstance(self.max, str) and None in (low, high)
        if (low is not None and high is not None and low > high) or (texts and f"{self.min}" > f"{self.max}"):
            found.append(f"min {self.min!r} is greater than max {self.max!r}, so no value would do; exchange them")
        return found


class Table(Strict):
    """One table of the schema."""

    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()  # further keys: rows that agree in one are null in a part of it
    columns: dict[str, str] = {}
    constraints: tuple[Constraint, ...] = ()
    derived: dict[str, str | None] = {}  # None: the column is generated even if it follows from others
    rules: dict[str, str | Literal[False]] = {}  # False: the rule of that name (kind.column, as logged) is not kept
    pii: dict[str, PersonalColumn] = {}  # a list in files that name the columns alone
    exclude: tuple[str, ...] = ()
    reference: bool = False
    parent_context_cols: tuple[str, ...] | None = None
    rows: Any = Field(default=None, exclude=True)
    null_fraction: Any = Field(default=None, exclude=True)
    stats: Any = Field(default=None, exclude=True)

    @field_validator("primary_key", mode="before")
    @classmethod
    def _one_column(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else (value or ())

    @field_validator("unique", mode="before")
    @classmethod
    def _single_columns(cls, value: object) -> object:
        return [(key,) if isinstance(key, str) else key for key in value] if isinstance(value, list | tuple) else value

    @field_validator("rules", mode="before")
    @classmethod
    def _off(cls, value: object) -> object:
        return {k: False if v == "off" else v for k, v in value.items()} if isinstance(value, Mapping) else value

    @field_validator("pii", mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        if isinstance(value, list | tuple):
            return {f"{c}": {} for c in value}
        return {c: said or {} for c, said in value.items()} if isinstance(value, Mapping) else value or {}

    @property
    def personal(self) -> tuple[str, ...]:
        """Columns whose values are not written, whatever is written instead."""
        return tuple(c for c, said in self.pii.items() if said.action != "keep")

    @property
    def born(self) -> set[str]:
        """Dates of birth that a model draws."""
        return {c for c, said in self.pii.items() if said.kind == "birth_date" and said.action == "keep"}

    @property
    def unread(self) -> frozenset[str]:
        """Columns that need not be of a type that is carried."""
        return frozenset({*self.exclude, *self.personal})

    def is_open(self, column: str) -> bool:
        """Whether a column is not personal."""
        return column not in self.personal

    @property
    def switched_off(self) -> set[str]:
        """Names of rules that are not kept though the source keeps them."""
        return {name for name, rule in self.rules.items() if rule is False}

    @property
    def declared_rules(self) -> list[Constraint]:
        """Rules in Spark SQL that a person declared: no row makes one false."""
        return [Constraint(expression=sql) for sql in self.rules.values() if sql is not False]

    @property
    def key_columns(self) -> set[str]:
        """Columns of the primary key and of every foreign key."""
        return {*self.primary_key, *(c for fk in self.foreign_keys for c in fk.columns)}

    def left_out(self, types: Mapping[str, str]) -> list[str]:
        """Columns that the copy holds no values of: excluded ones, and personal ones of a type that is not carried."""
        return [c for c, t in types.items() if c in self.exclude or (c in self.personal and not is_carried(t))]

    @property
    def declared(self) -> dict[str, str]:
        """The columns that a person declared as derived, without those that are only kept from it."""
        return {c: sql for c, sql in self.derived.items() if sql is not None}


def _literal(value: Scalar) -> str:
    return text_literal(value) if isinstance(value, str) else str(value).lower()


def _number(value: Scalar) -> Decimal | None:
    """A bound as a number, if it is one; a text may hold one too."""
    try:
        number = Decimal(str(int(value) if isinstance(value, bool) else value))
    except ArithmeticError:
        return None
    return number if number.is_finite() else None


def _comparable(value: Scalar, spark_type: str) -> bool:
    """Whether a declared value can be held against a column; dates and times are declared as ISO text."""
    kind = spark_type.lower().split("(")[0].strip()
    try:
        if kind in (*INTEGRAL, "float", "double", "real", "decimal", "numeric", "dec"):
            return not isinstance(value, bool) and Decimal(str(value)).is_finite()
        if kind == "date":
            return isinstance(value, str) and bool(dt.date.fromisoformat(value))
        if kind.startswith("timestamp"):
            return isinstance(value, str) and bool(dt.datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", value)))
    except (ValueError, ArithmeticError):
        return False
    return isinstance(value, bool) if kind == "boolean" else True


def is_carried(spark_type: str) -> bool:
    """Whether values of a Spark type, by its simple name, reach the copy."""
    base = spark_type.lower()
    return base in CARRIED or base.startswith("decimal(") or base.split("(")[0] in ("char", "varchar")


def decimal_form(spark_type: str) -> tuple[int, int]:
    """Precision and scale of ``decimal(p,s)``."""
    precision, _, scale = spark_type[spark_type.index("(") + 1 : -1].partition(",")
    return int(precision), int(scale)


def key_type(name: str) -> str:
    """The family of a Spark type within which keys may refer to each other."""
    base = name.lower().split("(")[0].strip()
    if base in INTEGRAL:
        return "integer"
    return "string" if base in TEXT else name.lower().replace(" ", "")
