"""One unit of work on an executor: families with their slots in, rows of the table out.

The unit's rows are a function of (seed, table, block, slice) and of what the unit holds; the model always sees the
whole unit, in the same order, so partitions, Arrow batches and retries cannot change a row.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from synthohive_spark.errors import GenerationError
from synthohive_spark.metadata import Constraint
from synthohive_spark.models.base import ConditionalGenerativeModel
from synthohive_spark.models.artifact import cached_model
from synthohive_spark.privacy.shapes import draw_shape
from synthohive_spark.randomness import Ints, generator, mix, seed_of
from synthohive_spark.relational.plan import SequencePlan, TablePlan
from synthohive_spark.relational.skeleton import UNIT

REDRAWS = 3  # times the model is asked again for key values that repeat, before neighbours are taken
INTEGER_DTYPES = {"tinyint": "Int8", "smallint": "Int16", "int": "Int32", "bigint": "Int64"}


@dataclass(frozen=True)
class UnitGenerator:
    """What the Python workers run, as the function of ``mapInPandas``.

    Attributes:
        plan: the table.
        total: rows of the whole table.
        seed: the generation seed.
        model_cls: the model's class.
        artifact: the saved model; None where no column is modelled.
    """

    plan: TablePlan
    total: int
    seed: int
    model_cls: type[ConditionalGenerativeModel]
    artifact: bytes | None

    def __call__(self, frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """Rows of the table, one frame per unit. Input rows of a unit come together, sorted by UNIT."""
        for unit in _units(frames):
            rows = self.generate(unit)
            if len(rows):
                yield rows

    def generate(self, unit: pd.DataFrame) -> pd.DataFrame:
        """The rows of one unit, with every column that is not derived."""
        families = unit[unit["kind"] == 0].sort_values("rank", kind="stable")
        block, cut = int(families["block"].iloc[0]), int(families["slice"].iloc[0])
        rng = generator(self.seed, self.plan.table, block, cut)
        sizes = families["rows"].to_numpy(np.int64)
        rows, owner = int(sizes.sum()), np.repeat(np.arange(len(families)), sizes)
        at = np.arange(rows) - np.repeat(np.cumsum(sizes) - sizes, sizes) + families["start"].to_numpy(np.int64)[owner]
        columns, context = self._parents(unit, families, owner, rng)
        if self.plan.sequence is not None:
            values = _sequence(self.plan.sequence, families, owner, at, self.seed)
            columns[self.plan.sequence.column] = values
            context[self.plan.sequence.column] = values
        seen = pd.DataFrame(context, index=range(rows)) if context else None
        columns.update(self._modelled(rows, seen, seed_of(self.seed, self.plan.table, block, cut)))
        offset = int(families["offset"].iloc[0])
        if self.plan.surrogate is not None:
            index = offset + np.arange(rows, dtype=np.int64)
            salt = seed_of(self.seed, self.plan.table, "key")
            columns[self.plan.primary_key[0]] = self.plan.surrogate.values(index, self.total, salt)
        types = self.plan.types()
        for name in self.plan.named("shape"):
            columns[name] = draw_shape(self.plan.shapes[name], types[name], rows, rng)
        for law in self.plan.bounds:
            if law.column in columns and law.column in self.plan.named("model", "shape"):
                columns[law.column] = _bounded(columns[law.column], law, rng)
        if self.plan.tiebreak is not None:
            self._distinct(columns, seen, cut, int(families["slices"].max()))
        wanted = self.plan.named("model", "surrogate", "sequence", "foreign", "shape")
        return pd.DataFrame({c: as_spark(columns[c], types[c]) for c in wanted}, columns=wanted)

    def _parents(
        self, unit: pd.DataFrame, families: pd.DataFrame, owner: Ints, rng: np.random.Generator
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Foreign keys and context of each row: from its family, and from the slots dealt to the unit."""
        columns: dict[str, Any] = {}
        context: dict[str, Any] = {}
        names = [c.name for c in self.plan.context]
        driving = self.plan.driving
        if driving is not None:
            for i, c in enumerate(driving.columns):
                columns[c] = _take(families[f"d{i}"], owner, (families["rank"] < 0).to_numpy())
            for i, c in enumerate(self.plan.context):
                if c.path[0] == driving.position:
                    context[names[i]] = as_model(_take(families[f"c{i}"], owner), c.type)
        for kind, fk in enumerate(self.plan.drawn, start=1):
            slots = unit[unit["kind"] == kind].sort_values("rank", kind="stable")
            if len(slots) > len(owner):
                raise GenerationError(f"{self.plan.table}: a unit got {len(slots)} slots for {len(owner)} rows")
            dealt = np.full(len(owner), -1)
            dealt[rng.permutation(len(owner))[: len(slots)]] = np.arange(len(slots))
            for i, c in enumerate(fk.columns):
                columns[c] = _deal(slots, f"f{fk.position}_{i}", dealt)
            for i, c in enumerate(self.plan.context):
                if c.path[0] == fk.position:
                    context[names[i]] = as_model(_deal(slots, f"c{i}", dealt), c.type)
        return columns, {n: context[n] for n in names if n in context}

    def _modelled(self, rows: int, context: pd.DataFrame | None, seed: int) -> dict[str, pd.Series[Any]]:
        wanted = self.plan.named("model")
        if self.artifact is None or not wanted:
            return {}
        drawn = cached_model(self.model_cls, self.artifact).sample(rows, context=context, seed=seed)
        missing = [c for c in wanted if c not in drawn.columns]
        if missing or len(drawn) != rows:
            raise GenerationError(
                f"{self.plan.table}: {self.model_cls.__name__}.sample gave {len(drawn)} rows for {rows}"
                + (f", without the columns {missing}" if missing else "")
            )
        return {c: drawn[c].reset_index(drop=True) for c in wanted}

    def _distinct(self, columns: dict[str, Any], context: pd.DataFrame | None, cut: int, slices: int) -> None:
        """Draw the tiebreak column again until the primary key is distinct in the unit; then take unused neighbours.

        Families that share the rest of their key share a unit; where families are sliced, slice s keeps to the values
        that are s modulo the number of slices, so that units cannot meet.
        """
        name = f"{self.plan.tiebreak}"
        rest = [c for c in self.plan.primary_key if c != name]
        value = pd.Series(columns[name]).reset_index(drop=True)
        group = _codes(columns, rest, len(value))
        for attempt in range(REDRAWS):
            wrong = _repeated(group, value, cut, slices)
            if not wrong.any() or name not in self.plan.named("model"):
                break
            again = context[wrong].reset_index(drop=True) if context is not None else None
            seed = seed_of(self.seed, self.plan.table, cut, attempt, len(value), int(wrong.sum()))
            value = value.copy()
            value[wrong] = self._modelled(int(wrong.sum()), again, seed)[name].to_numpy()
        columns[name] = _neighbours(group, value, cut, slices, self.plan.table, name)


def _units(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Consecutive rows of one unit, put together across Arrow batches."""
    parts: list[pd.DataFrame] = []
    current: tuple[int, int] | None = None
    for frame in frames:
        keys = frame[list(UNIT)].to_numpy()
        starts = np.flatnonzero(np.r_[True, (keys[1:] != keys[:-1]).any(axis=1)]) if len(keys) else np.array([], int)
        for begin, end in zip(starts, np.r_[starts[1:], len(keys)], strict=True):
            key = (int(keys[begin, 0]), int(keys[begin, 1]))
            if key != current and parts:
                yield pd.concat(parts, ignore_index=True)
                parts = []
            current = key
            parts.append(frame.iloc[begin:end])
    if parts:
        yield pd.concat(parts, ignore_index=True)


def _take(column: pd.Series[Any], owner: Ints, null: np.ndarray[Any, np.dtype[np.bool_]] | None = None) -> pd.Series[Any]:
    if null is not None and null.any():
        column = column.astype(object).mask(null, None)
    return column.iloc[owner].reset_index(drop=True)


def _deal(slots: pd.DataFrame, column: str, dealt: Ints) -> pd.Series[Any]:
    """The slot's value for each row that was dealt one; null elsewhere."""
    if not len(slots):
        return pd.Series([None] * len(dealt), dtype=object)
    values = slots[column].iloc[np.maximum(dealt, 0)].reset_index(drop=True)
    return values.astype(object).mask(dealt < 0, None) if (dealt < 0).any() else values


def _sequence(plan: SequencePlan, families: pd.DataFrame, owner: Ints, at: Ints, seed: int) -> pd.Series[Any]:
    """The ``at``-th key value of each row's family: distinct in the family whatever slices it is cut into."""
    total = families["total"].to_numpy(np.int64)
    size = np.maximum(plan.size, total)
    luck = (mix(families["rank"].to_numpy(np.int64), seed) >> np.uint64(1)).astype(np.int64)
    if plan.consecutive:
        begin = np.minimum(np.array(plan.starts)[luck % len(plan.starts)], size - total)
        index = begin[owner] + at
    else:
        low = at * size[owner] // total[owner]
        high = (at + 1) * size[owner] // total[owner]
        jitter = (mix(luck[owner] + at, seed) >> np.uint64(1)).astype(np.int64)
        index = low + jitter % np.maximum(high - low, 1)
    return plan.format.values(index, int(size.max(initial=1)))


def _codes(columns: dict[str, Any], names: list[str], rows: int) -> Ints:
    if not names:
        return np.zeros(rows, np.int64)
    frame = pd.DataFrame({c: pd.Series(columns[c]).reset_index(drop=True) for c in names})
    return frame.groupby(names, sort=False, dropna=False).ngroup().to_numpy(np.int64)


def _allowed(value: pd.Series[Any], cut: int, slices: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    if slices <= 1:
        return np.ones(len(value), bool)
    return np.array([seed_of(v) % slices == cut for v in value], bool)


def _repeated(group: Ints, value: pd.Series[Any], cut: int, slices: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    twice = pd.DataFrame({"g": group, "v": value}).duplicated().to_numpy()
    result: np.ndarray[Any, np.dtype[np.bool_]] = twice | value.isna().to_numpy() | ~_allowed(value, cut, slices)
    return result


def _neighbours(group: Ints, value: pd.Series[Any], cut: int, slices: int, table: str, name: str) -> pd.Series[Any]:
    """Replace what still repeats by the next unused value: numbers and dates count up, text takes other seen values."""
    wrong = _repeated(group, value, cut, slices)
    if not wrong.any():
        return value
    used = {(int(g), v) for g, v in zip(group[~wrong], value[~wrong], strict=True)}
    seen = sorted({v for v in value.dropna()}, key=str)
    result = value.astype(object).copy()
    for i in np.flatnonzero(wrong):
        for candidate in _candidates(result.iloc[i], seen):
            if (int(group[i]), candidate) not in used and (slices <= 1 or seed_of(candidate) % slices == cut):
                used.add((int(group[i]), candidate))
                result.iloc[i] = candidate
                break
        else:
            raise GenerationError(
                f"{table}: no unused value of {name} is left for a primary key; lower generate.scale, or declare "
                "a wider primary key"
            )
    return result


def _candidates(value: Any, seen: list[Any]) -> Iterator[Any]:
    if value is None or pd.isna(value):
        value = seen[0] if seen else 0
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        yield from (int(value) + k for k in range(1_000_000))
    elif isinstance(value, (dt.datetime, pd.Timestamp)):
        yield from (value + dt.timedelta(seconds=k) for k in range(1_000_000))
    elif isinstance(value, dt.date):
        yield from (value + dt.timedelta(days=k) for k in range(100_000))
    elif isinstance(value, (float, np.floating, Decimal)):
        yield from (value + k for k in range(1_000_000))
    else:
        start = seen.index(value) if value in seen else 0
        yield from (seen[(start + k) % len(seen)] for k in range(len(seen)))


def _bounded(values: pd.Series[Any], law: Constraint, rng: np.random.Generator) -> pd.Series[Any]:
    """Values within a declared law: cut at min and max; what is not allowed is drawn again from what is."""
    known = values.notna()
    if law.allowed is not None:
        allowed = [v for v in law.allowed if v is not None]
        wrong = known & ~values.isin(allowed)
        fits = values[known & ~wrong].to_numpy()
        pool = fits if len(fits) else np.array(allowed, dtype=object)
        values = values.astype(object).copy()
        values[wrong] = pool[rng.integers(0, len(pool), int(wrong.sum()))]
    for bound, beyond in ((law.min, values.lt), (law.max, values.gt)):
        if bound is not None:
            limit = type(values[known].iloc[0])(bound) if known.any() else bound
            values = values.mask(known & beyond(limit).fillna(False), limit)
    return values


def as_model(values: pd.Series[Any], spark_type: str) -> pd.Series[Any]:
    """A carried column in the dtype that the model was trained on."""
    if spark_type in ("timestamp", "timestamp_ntz"):
        return values.astype("Int64").astype("datetime64[us]") if values.isna().any() else _micros(values)
    if spark_type in INTEGER_DTYPES:
        if values.dtype.kind == "f":  # nulls made pandas turn the column into floats
            return values.astype("Int64") if values.isna().any() else values.astype("int64")
        return values if values.isna().any() else values.astype("int64")
    if spark_type == "boolean":
        return values.astype("boolean")
    if spark_type in ("float", "double"):
        return values.astype("float64")
    return values.astype(object)


def _micros(values: pd.Series[Any]) -> pd.Series[Any]:
    return values.astype("int64").astype("datetime64[us]")


def as_spark(values: Any, spark_type: str) -> pd.Series[Any]:
    """A column in a dtype that Arrow turns into exactly this Spark type; missing values as null."""
    values = pd.Series(values).reset_index(drop=True)
    if spark_type in ("timestamp", "timestamp_ntz"):
        if values.dtype.kind != "M":
            values = values.astype("Int64") if values.dtype.kind in "iuf" or _whole(values) else values
            values = values.astype("datetime64[us]") if values.dtype.kind != "M" else values
        if spark_type == "timestamp":
            return values.dt.tz_localize("UTC") if values.dt.tz is None else values
        return values.dt.tz_localize(None) if values.dt.tz is not None else values
    if spark_type in INTEGER_DTYPES:
        return values.astype(object).where(values.notna(), pd.NA).astype(INTEGER_DTYPES[spark_type])
    if spark_type in ("float", "double"):
        return values.astype("float64")
    if spark_type == "boolean":
        return values.astype("boolean")
    if spark_type.startswith("decimal"):
        scale = Decimal(1).scaleb(-int(spark_type.rstrip(")").split(",")[1]))
        return pd.Series([None if v is None or pd.isna(v) else Decimal(str(v)).quantize(scale) for v in values], dtype=object)
    return values.astype(object).where(values.notna(), None)


def _whole(values: pd.Series[Any]) -> bool:
    known = values.dropna()
    return not len(known) or isinstance(known.iloc[0], (int, float, np.integer, np.floating))

