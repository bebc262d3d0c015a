"""A column is a function of keys, and of nothing else that is known: the distance between two airports.

Keys of the copy are new ones. Each has the values of one of the source's, whichever its hash says, and the model sees
them before it draws the rest of the row.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import pandas as pd

from synthohive_spark.rules.coded import Coded, surprise
from synthohive_spark.rules.evidence import EVIDENCE, Sample
from synthohive_spark.rules.kind import Law
from synthohive_spark.rules.kinds.dictionary import KNOWN, NULL
from synthohive_spark.rules.value_kind import Candidate, ValueKind
from synthohive_spark.schema.columns import Role
from synthohive_spark.schema.conversion import Values, as_model, as_spark
from synthohive_spark.schema.rule import Ancestor, Rule
from synthohive_spark.sql import quote
from synthohive_spark.tables import INTEGRAL

MOST_KEYS = 8  # key columns of a table that are tried, and every two of them


class Keyed(ValueKind):
    """Functions of one key column or of two, for columns that follow from nothing else."""

    name = "keyed"
    order = 92
    tabled = True

    def candidates(self, sample: Sample) -> tuple[Candidate, ...]:
        """None, as for dictionaries."""
        return ()

    def search(self, sample: Sample) -> list[Law]:
        """For each target the fewest keys that decide it."""
        targets = [Coded.of(c) for c in sample.targets if c.family not in ("time", "plain time")]
        single = [Coded.of(c) for c in sample.own if c.id in sample.keys and c.distinct > 1][:MOST_KEYS]
        both = [one & other for one, other in itertools.combinations(single, 2)]
        found = list[Law]()
        for target in (t for t in targets if t.size > 1):
            for keys in (*sorted(single, key=lambda k: k.size), *sorted(both, key=lambda k: k.size)):
                if keys.repeats and _follows(keys, target):
                    found.append(Law(self.name, target.ids[0], keys.ids, "", "whole", "", target.size))
                    break
        return found

    def expression(self, law: Law, names: Mapping[str, str], types: Mapping[str, str]) -> str:
        """What it follows from."""
        return f"keyed({', '.join(names[i] for i in law.inputs)})"


def _follows(keys: Coded, target: Coded) -> bool:
    same = target.codes == target.codes[keys.first][keys.codes]
    return bool(same.all()) and surprise(keys, target) >= EVIDENCE


class KeyedValue(Rule):
    """A column follows from keys of the row.

    Attributes:
        inputs: the keys' columns.
        inputs_types: Spark types of these.
        values: of keys of the source, as ``value_text``; columns that follow from the same keys list the same ones.
        type: Spark type of the column.
    """

    kind: Literal["keyed"] = "keyed"
    inputs: tuple[str, ...]
    inputs_types: tuple[str, ...]
    values: tuple[str, ...]
    type: str

    @property
    def gives(self) -> Role | None:
        """It is there before the model draws."""
        return "given"

    def text(self, ancestor: Ancestor) -> str:
        """The keys."""
        return f"a function of {', '.join(map(quote, self.inputs))}"

    def before(self, columns: Mapping[str, Values]) -> Values:
        """The value of each row's keys: that of the key of the source that their hash says."""
        shown = [as_spark(columns[c], t).astype(str) for c, t in zip(self.inputs, self.inputs_types, strict=True)]
        names = pd.MultiIndex.from_arrays(shown) if len(shown) > 1 else pd.Index(shown[0])
        codes, distinct = pd.factorize(names)
        hashed = pd.util.hash_array(np.array(["\0".join(np.atleast_1d(d)) for d in distinct], dtype=object))
        known = [_read(value, self.type) for value in self.values]
        chosen = pd.Series([known[h % len(known)] for h in hashed.tolist()], dtype=object)
        made: Values = chosen.iloc[codes].reset_index(drop=True)
        return as_model(as_spark(made, self.type), self.type)


def _read(text: str, spark_type: str) -> Any:
    """A value from its ``value_text``."""
    if text == NULL:
        return None
    text = text.removeprefix(KNOWN)
    if spark_type in INTEGRAL:
        return int(text)
    if spark_type.startswith("decimal"):
        return Decimal(text)
    read: dict[str, Callable[[str], Any]] = {
        "float": float,
        "double": float,
        "boolean": lambda shown: shown == "true",
        "date": dt.date.fromisoformat,
    }
    return read.get(spark_type, str)(text)
