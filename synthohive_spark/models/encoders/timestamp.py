"""Timestamps, with or without a time zone: whole steps of the resolution found (days, hours ... ns) on a rank scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timezone
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from synthohive_spark.models.encoders.mode_scale import build_number_scale
from synthohive_spark.models.encoders.numbers import NumberPartial, NumberSpec, merged_grain, null_mask
from synthohive_spark.models.encoders.rank_scale import Numbers
from synthohive_spark.models.encoders.sample import BottomK, Origin, merge_samples
from synthohive_spark.models.encoders.spec import ColumnKind, Encoded, Limits, merged_dtype, merged_null_share
from synthohive_spark.privacy.coarse import Ends, coarse_times

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_OBJECT_UNIT = "us"


@dataclass(frozen=True)
class TimestampPartial(NumberPartial):
    """Statistics of a chunk; values are UTC ticks.

    Attributes:
        wall_grain: the grain of the local wall clock (midnights of a time zone are no whole days in UTC).
    """

    wall_grain: int


@dataclass(frozen=True)
class TimestampSpec(NumberSpec):
    """Spec of a timestamp column.

    Attributes:
        unit: ticks of the dtype: s, ms, us or ns.
        step: ticks of the resolution.
        timezone: name of the time zone, empty for none.
        wall_clock: whether steps are counted on the local clock instead of UTC.
    """

    unit: str
    step: int
    timezone: str
    wall_clock: bool


def analyze(values: pd.Series[Any], origin: Origin) -> TimestampPartial:
    """Returns the statistics of a chunk of n timestamps."""
    typed = _typed(values)
    unit, zone = _unit(typed), _zone(typed)
    null = null_mask(typed)
    ticks = _ticks(typed[~null], unit)
    grain, wall = _grain(ticks, unit), _grain(_wall(ticks, unit, zone), unit)
    sample = BottomK.of(ticks, origin.where(~null))
    return TimestampPartial("timestamp", str(typed.dtype), len(values), int(null.sum()), sample, grain, wall)


def reduce(partials: Sequence[TimestampPartial], limits: Limits) -> TimestampSpec:
    """Returns the spec of the whole column."""
    share, dtype = merged_null_share(partials), merged_dtype(partials)
    empty = pd.Series([], dtype=dtype)
    unit, zone = _unit(empty), _zone(empty)
    grain, wall_grain = merged_grain(partials), max(part.wall_grain for part in partials)
    wall_clock = wall_grain < grain
    step = _steps(unit)[min(grain, wall_grain)]
    merged = merge_samples([part.sample for part in partials])
    sample = merged.sorted((_wall(merged.values, unit, zone) if wall_clock else merged.values) // step)
    scale = build_number_scale(sample, share > 0, limits, coarse=partial(_years, unit=unit, step=step))
    return TimestampSpec("timestamp", dtype, share, scale, unit, step, zone, wall_clock)


def encode(spec: TimestampSpec, values: pd.Series[Any], rng: np.random.Generator | None) -> Encoded:
    """Returns codes and ranks of n values."""
    typed = _typed(values)
    null = null_mask(typed)
    ticks = _ticks(typed[~null], spec.unit)
    if spec.wall_clock:
        ticks = _wall(ticks, spec.unit, spec.timezone)
    return spec.scale.encode_with_nulls(ticks // spec.step, null, rng)


def decode(spec: TimestampSpec, encoded: Encoded) -> pd.Series[Any]:
    """Returns n timestamps of the column's dtype, NaT where null."""
    steps, null = spec.scale.decode(encoded)
    stamps = (steps * spec.step).astype(f"datetime64[{spec.unit}]")
    stamps[null] = np.datetime64("NaT")
    series = pd.Series(stamps)
    if not spec.timezone:
        return series
    if spec.wall_clock:
        first = np.ones(len(series), dtype=bool)
        return series.dt.tz_localize(spec.timezone, ambiguous=first, nonexistent="shift_forward")
    return series.dt.tz_localize("UTC").dt.tz_convert(spec.timezone)


def _typed(values: pd.Series[Any]) -> pd.Series[Any]:
    """Returns the values as datetime64; datetime objects may lie outside the range of nanoseconds."""
    if values.dtype.kind == "M":
        return values
    null = null_mask(values)
    aware = any(value.tzinfo is not None for value in values[~null])
    utc = [value.astimezone(timezone.utc).replace(tzinfo=None) if aware else value for value in values[~null]]
    stamps = np.full(len(values), np.datetime64("NaT"), dtype=f"datetime64[{_OBJECT_UNIT}]")
    stamps[~null] = np.asarray(utc, dtype=f"datetime64[{_OBJECT_UNIT}]")
    typed = pd.Series(stamps, index=values.index)
    return typed.dt.tz_localize("UTC") if aware else typed


def _unit(values: pd.Series[Any]) -> str:
    return str(values.dt.unit)


def _zone(values: pd.Series[Any]) -> str:
    return "" if values.dt.tz is None else str(values.dt.tz)


def _ticks(values: pd.Series[Any], unit: str) -> Numbers:
    naive = values if values.dt.tz is None else values.dt.tz_convert("UTC").dt.tz_localize(None)
    return naive.to_numpy(dtype=f"datetime64[{unit}]").astype(np.int64)


def _wall(ticks: Numbers, unit: str, zone: str) -> Numbers:
    """Returns UTC ticks as ticks of the local wall clock."""
    if not zone:
        return ticks
    utc = pd.Series(ticks.astype(f"datetime64[{unit}]")).dt.tz_localize("UTC")
    return utc.dt.tz_convert(zone).dt.tz_localize(None).to_numpy(dtype=f"datetime64[{unit}]").astype(np.int64)


def _years(low: Any, high: Any, unit: str, step: int) -> Ends:
    """Returns the first and last step of the years around two steps."""
    first, last = coarse_times(int(low) * step, int(high) * step, _PER_SECOND[unit])
    return -(-first // step), last // step


def _steps(unit: str) -> list[int]:
    """Returns the ticks of a day, an hour, a minute, a second and what is finer, down to one tick."""
    second = _PER_SECOND[unit]
    fine = [second // part for part in _PER_SECOND.values() if part <= second]
    return [86_400 * second, 3_600 * second, 60 * second, *fine]


def _grain(ticks: Numbers, unit: str) -> int:
    """Returns the index of the coarsest step that divides all ticks."""
    return next(index for index, step in enumerate(_steps(unit)) if not (ticks % step).any())


KIND = ColumnKind("timestamp", TimestampSpec, analyze, reduce, encode, decode)
