"""Candidates among times: parts of a time in some zone, and the days, hours or seconds between two of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from synthohive_spark.derive.arithmetic import Candidate, integer, whole
from synthohive_spark.derive.sample import Column, Vector
from synthohive_spark.randomness import Ints

ZONES = (
    "UTC",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "Europe/London",
    "Europe/Berlin",
    "Europe/Athens",
    "Asia/Dubai",
    "Asia/Kolkata",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Australia/Sydney",
)
UNITS = {"second": 1_000_000, "minute": 60_000_000, "hour": 3_600_000_000, "day": 86_400_000_000}
Part: TypeAlias = "Callable[[pd.DatetimeIndex], Any]"
DATE_PARTS: dict[str, tuple[str, Part]] = {
    "year": ("year({0})", lambda t: t.year),
    "month": ("month({0})", lambda t: t.month),
    "day": ("day({0})", lambda t: t.day),
    "quarter": ("quarter({0})", lambda t: t.quarter),
    "weekday": ("weekday({0})", lambda t: t.day_of_week),
    "weekday from 1": ("weekday({0}) + 1", lambda t: t.day_of_week + 1),
    "day of week": ("dayofweek({0})", lambda t: (t.day_of_week + 1) % 7 + 1),
    "day of year": ("dayofyear({0})", lambda t: t.day_of_year),
    "week": ("weekofyear({0})", lambda t: t.isocalendar().week),
    "YYYYMM": ("100 * year({0}) + month({0})", lambda t: 100 * t.year + t.month),
    "YYYYMMDD": ("10000 * year({0}) + 100 * month({0}) + day({0})", lambda t: 10000 * t.year + 100 * t.month + t.day),
}
TIME_PARTS: dict[str, tuple[str, Part]] = {
    "hour": ("hour({0})", lambda t: t.hour),
    "minute": ("minute({0})", lambda t: t.minute),
    "second": ("second({0})", lambda t: t.second),
    "HHMM": ("100 * hour({0}) + minute({0})", lambda t: 100 * t.hour + t.minute),
}
CERTAIN = (-62_135_000_000_000_000, 253_402_000_000_000_000)  # days inside the years 1 and 9999, in microseconds
YEARS = (1900, 2100)  # a constant between them that is the year of a time is no accident


def parts(columns: Sequence[Column]) -> Iterator[Candidate]:
    """Parts of dates and times; those of instants in every zone of ``ZONES``."""
    for b in (c for c in columns if c.family in ("date", "time", "plain time")):
        if b.family != "date":
            yield from _clock_parts(b)
            continue
        for sql, part in DATE_PARTS.values():
            make = _part(part, "UTC", 86_400_000_000)
            yield Candidate("part", (b,), sql, make, whole)


def _clock_parts(b: Column) -> Iterator[Candidate]:
    for zone in ZONES if b.family == "time" else ZONES[:1]:
        local = "{0}" if zone == "UTC" else f"from_utc_timestamp({{0}}, '{zone}')"
        for sql, part in (*DATE_PARTS.values(), *TIME_PARTS.values()):
            yield Candidate("part", (b,), sql.replace("{0}", local), _part(part, zone), whole, zone=zone)
        day = _part(lambda t: np.floor(t.as_unit("us").asi8 / UNITS["day"]), zone)
        yield Candidate("part", (b,), f"to_date({local})", day, lambda a: a.family == "date", zone=zone)
    if b.family == "time":
        for unit, reader in (("second", "unix_seconds"), ("millisecond", "unix_millis"), ("micro", "unix_micros")):
            size = {"second": 1e6, "millisecond": 1e3, "micro": 1.0}[unit]
            yield Candidate("part", (b,), f"{reader}({{0}})", lambda v, s=size: np.floor(v[0] / s), whole)  # type: ignore[misc]


def _part(part: Part, zone: str, unit: int = 1) -> Callable[[Sequence[Vector]], Vector]:
    def make(v: Sequence[Vector]) -> Vector:
        known = ~np.isnan(v[0])
        made = np.full(len(v[0]), np.nan)
        micros = (v[0][known] * unit).astype("int64")
        made[known] = np.asarray(part(_local(micros, zone)), np.float64)
        return made

    return make


def _local(micros: Ints, zone: str) -> pd.DatetimeIndex:
    """Times on the clock of a zone. No zone is defined at the ends of the calendar: the offset nearby stands for it."""
    inner = np.clip(micros, *CERTAIN)
    there = pd.DatetimeIndex(inner.astype("datetime64[us]")).tz_localize("UTC").tz_convert(zone).tz_localize(None)
    offset = there.as_unit("us").asi8 - inner
    return pd.DatetimeIndex((micros + offset).astype("datetime64[us]"))


def between(columns: Sequence[Column]) -> Iterator[Candidate]:
    """What lies between two dates or times, and a date or time so much after another."""
    days = [c for c in columns if c.family == "date"]
    times = [c for c in columns if c.family == "time"]
    lengths = [c for c in columns if c.whole]
    for b in days:
        for c in days:
            if b.id != c.id:
                yield Candidate("sum", (b, c), "datediff({0}, {1})", lambda v: v[0] - v[1], whole)
        for c in lengths:
            added = f"try_cast({integer(1, c)} as int)"
            is_date: Callable[[Column], bool] = lambda a: a.family == "date"  # noqa: E731
            yield Candidate("sum", (b, c), f"date_add({{0}}, {added})", lambda v: v[0] + v[1], is_date)
            yield Candidate("sum", (b, c), f"date_sub({{0}}, {added})", lambda v: v[0] - v[1], is_date)
    for b in times:
        for c in times:
            if b.id != c.id:
                yield from _apart(b, c)
        for c in lengths:
            for size in UNITS.values():
                yield from _shifted(b, c, size)


def _apart(b: Column, c: Column) -> Iterator[Candidate]:
    micros = "(unix_micros({0}) - unix_micros({1}))"
    for size in UNITS.values():
        floor = f"({micros} - pmod({micros}, {size})) div {size}"
        yield Candidate("sum", (b, c), floor, lambda v, s=size: np.floor((v[0] - v[1]) / s), whole)  # type: ignore[misc]
        exact = Candidate("sum", (b, c), f"{micros} / {size}", lambda v, s=size: (v[0] - v[1]) / s)  # type: ignore[misc]
        yield Candidate(exact.kind, exact.inputs, exact.sql, exact.make, _measured, rounded=True)


def _measured(a: Column) -> bool:
    return a.number and not a.whole


def _shifted(b: Column, c: Column, size: int) -> Iterator[Candidate]:
    for word, sign in (("try_add", 1), ("try_subtract", -1)):
        sql = f"timestamp_micros({word}(unix_micros({{0}}), try_multiply({integer(1, c)}, {size})))"

        def make(v: Sequence[Vector], step: int = sign * size) -> Vector:
            made: Vector = v[0] + step * v[1]
            return made

        yield Candidate("sum", (b, c), sql, make, lambda a: a.family == "time")
