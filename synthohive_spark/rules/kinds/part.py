"""A part of a date or time: its year, month, hour ..., in the zone of whoever wrote the source."""

from __future__ import annotations

import functools
import zoneinfo
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from synthohive_spark.randomness import Ints
from synthohive_spark.rules.evidence import ROWS, Column, Flags, Sample, Vector
from synthohive_spark.rules.kind import Law
from synthohive_spark.rules.kinds.numbers import whole
from synthohive_spark.rules.value_kind import Candidate, ValueKind

# Of zones whose clocks agree on the sample the first of these stands for all, else the first by name: they say most to
# most people. All zones of the time zone database are tried.
KNOWN_ZONES = (
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
LIKELY = 3  # zones of one time that go on to the whole table
DAY = 86_400_000_000  # microseconds
Reader: TypeAlias = "Callable[[pd.DatetimeIndex], Any]"
DATE_PARTS: dict[str, tuple[str, Reader]] = {
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
TIME_PARTS: dict[str, tuple[str, Reader]] = {
    "hour": ("hour({0})", lambda t: t.hour),
    "minute": ("minute({0})", lambda t: t.minute),
    "second": ("second({0})", lambda t: t.second),
    "HHMM": ("100 * hour({0}) + minute({0})", lambda t: 100 * t.hour + t.minute),
}
SINCE_1970 = {"unix_seconds": 1e6, "unix_millis": 1e3, "unix_micros": 1.0}
CERTAIN = (-62_135_000_000_000_000, 253_402_000_000_000_000)  # days inside the years 1 and 9999, in microseconds
SINCE = (0, 2_145_916_800_000_000)  # 1970 to 2037, which zone files describe
YEARS = (1900, 2100)  # a constant between them that is the year of a time is no accident


class Part(ValueKind):
    """Parts of every date and time; those of instants in every zone."""

    name = "part"
    order = 1

    def candidates(self, sample: Sample) -> Iterator[Candidate]:
        """Each part once, for an instant once per zone."""
        for b in sample.inputs:
            if b.family == "date":
                days = _Clock("UTC", DAY)
                for sql, reader in DATE_PARTS.values():
                    yield Candidate((b,), sql, _part(reader, days), whole)
            elif b.family in ("time", "plain time"):
                zones = _differing(sample.zones or all_zones(), b.values[sample.probe])
                yield from _clock_parts(b, zones if b.family == "time" else ["UTC"])

    def search(self, sample: Sample) -> list[Law]:
        """Parts that a column gives, in the few zones in which most columns agree with a time: more than in UTC."""
        laws = super().search(sample)
        votes = Counter((law.inputs, law.zone) for law in sorted(laws, key=_by_target) if law.zone)
        told = [(i, z) for (i, z), n in votes.most_common() if z == "UTC" or n > votes[i, "UTC"]]
        ranked = {i: [z for j, z in told if i == j][:LIKELY] for i, _ in votes}
        return [law for law in laws if not law.zone or law.zone in ranked[law.inputs]]

    def settled(self, laws: Sequence[Law]) -> list[Law]:
        """Of the zones in which a time's parts agree with other columns, the one in which most do."""
        votes = Counter((law.inputs, law.zone) for law in laws if law.zone)
        best: dict[tuple[str, ...], str] = {}
        for inputs, zone in votes:  # of equals, the first found
            if inputs not in best or votes[inputs, zone] > votes[inputs, best[inputs]]:
                best[inputs] = zone

        def better(law: Law) -> bool:
            zone = best[law.inputs]
            return any(o.target == law.target and o.inputs == law.inputs and o.zone == zone for o in laws)

        return [law for law in laws if not law.zone or law.zone == best[law.inputs] or not better(law)]

    def convinces(self, target: Column, both: Flags, candidate: Candidate) -> bool:
        """Evidence, or a year that is one of our age."""
        values = target.values[both]
        year = candidate.sql.startswith("year(") and len(values) >= ROWS
        ours = year and bool((values > YEARS[0]).all() and (values < YEARS[1]).all())
        return ours or super().convinces(target, both, candidate)


def _by_target(law: Law) -> tuple[bool, int, str]:
    return law.reach != "whole", int(law.target[1:]), law.sql


def _clock_parts(b: Column, zones: Iterable[str]) -> Iterator[Candidate]:
    for zone in zones:
        local, clock = "{0}" if zone == "UTC" else f"from_utc_timestamp({{0}}, '{zone}')", _Clock(zone)
        for sql, reader in (*DATE_PARTS.values(), *TIME_PARTS.values()):
            yield Candidate((b,), sql.replace("{0}", local), _part(reader, clock), whole, zone=zone)
        day = _part(lambda t: np.floor(t.as_unit("us").asi8 / DAY), clock)
        yield Candidate((b,), f"to_date({local})", day, lambda a: a.family == "date", zone=zone)
    if b.family == "time":
        for reader_name, size in SINCE_1970.items():
            yield Candidate((b,), f"{reader_name}({{0}})", _since_1970(size), whole)


def _since_1970(size: float) -> Callable[[Sequence[Vector]], Vector]:
    return lambda v: np.floor(v[0] / size)


@functools.lru_cache(maxsize=1)
def all_zones() -> tuple[str, ...]:
    """Zones by their usual names, the well-known ones first. Names without a place are aliases."""
    places = (z for z in zoneinfo.available_timezones() if "/" in z and not z.startswith(("Etc/", "posix/", "right/")))
    others = sorted(places, key=lambda z: (z.startswith(("Antarctica/", "Arctic/")), z))  # stations keep others' time
    return (*KNOWN_ZONES, *(z for z in others if z not in KNOWN_ZONES))


def _differing(zones: Iterable[str], micros: Vector) -> list[str]:
    """The zones that differ at some of these instants, one for all that agree (before 1970 each place had its own)."""
    known = np.clip(micros[~np.isnan(micros)].astype("int64"), *SINCE)
    clocks: dict[bytes, str] = {}
    for zone in zones:
        clocks.setdefault(_local(known, zone).as_unit("us").asi8.tobytes(), zone)
    return list(clocks.values())


class _Clock:
    """The clock of a zone. It remembers the times that it was last asked for: each part reads the same ones."""

    def __init__(self, zone: str, unit: int = 1) -> None:
        self.zone, self.unit = zone, unit
        self._asked: Vector | None = None
        self._told = pd.DatetimeIndex([])

    def __call__(self, values: Vector) -> pd.DatetimeIndex:
        """What it shows at those of the times that are known."""
        if values is not self._asked:
            self._asked = values
            self._told = _local((values[~np.isnan(values)] * self.unit).astype("int64"), self.zone)
        return self._told


def _part(reader: Reader, clock: _Clock) -> Callable[[Sequence[Vector]], Vector]:
    def make(v: Sequence[Vector]) -> Vector:
        made = np.full(len(v[0]), np.nan)
        made[~np.isnan(v[0])] = np.asarray(reader(clock(v[0])), np.float64)
        return made

    return make


def _local(micros: Ints, zone: str) -> pd.DatetimeIndex:
    """Times on the clock of a zone. No zone is defined at the ends of the calendar: the offset nearby stands for it."""
    inner = np.clip(micros, *CERTAIN)
    there = pd.DatetimeIndex(inner.astype("datetime64[us]")).tz_localize("UTC").tz_convert(zone).tz_localize(None)
    offset = there.as_unit("us").asi8 - inner
    return pd.DatetimeIndex((micros + offset).astype("datetime64[us]"))
