"""Domains: the values that the key columns of a random schema share, of every type that a key may have."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

DAY, HOUR = dt.date(2021, 3, 1), dt.datetime(2021, 3, 1, 6, tzinfo=dt.timezone.utc)
WIDTHS = {"tinyint": 2**7, "smallint": 2**15, "int": 2**31, "bigint": 2**63}
# How often a kind is drawn, and where its values may begin. Common kinds stand first, odd ones after them.
KINDS: dict[str, tuple[float, tuple[int, ...]]] = {
    "int": (0.28, (0, 1, 1, 1, 5, 1000, -20)),
    "bigint": (0.16, (0, 1, 1, 100_000, 7 * 10**18)),
    "string": (0.14, (0, 1, 1000)),
    "date": (0.06, (0, 500)),
    "uuid": (0.06, (1,)),
    "decimal(38,0)": (0.05, (1, 10**37)),
    "smallint": (0.04, (1, 300)),
    "char(6)": (0.04, (1,)),
    "varchar(20)": (0.04, (1,)),
    "timestamp": (0.04, (0,)),
    "decimal(20,0)": (0.02, (1, 2 * 10**19)),
    "binary": (0.02, (1,)),
    "tinyint": (0.02, (1, -5)),
    "boolean": (0.01, (0,)),
    "decimal(10,2)": (0.01, (1,)),
    "timestamp_ntz": (0.01, (0,)),
}
MAKE: dict[str, Callable[[int], Any]] = {
    "string": lambda n: f"K-{n:04d}",
    "uuid": lambda n: str(uuid.UUID(int=n * 7**45 % 2**128)),
    "char(6)": lambda n: f"C{n:05d}",
    "varchar(20)": lambda n: f"name {n}",
    "date": lambda n: DAY + dt.timedelta(days=n),
    "timestamp": lambda n: HOUR + dt.timedelta(hours=n),
    "timestamp_ntz": lambda n: HOUR.replace(tzinfo=None) + dt.timedelta(hours=n),
    "binary": lambda n: n.to_bytes(8, "big"),
    "boolean": lambda n: bool(n % 2),
    "decimal(38,0)": Decimal,
    "decimal(20,0)": Decimal,
    "decimal(10,2)": lambda n: Decimal(n) / 4,
}


@dataclass(frozen=True)
class Domain:
    """Numbered values: columns of one domain that hold the same number are equal.

    Attributes:
        kind: a key of ``KINDS``.
        start: where the values begin.
        step: the gap between them.
    """

    kind: str
    start: int
    step: int

    @property
    def capacity(self) -> int:
        """How many values there are."""
        return {"boolean": 2, "tinyint": 60}.get(self.kind, 10_000)

    @property
    def spark(self) -> str:
        """The Spark type of a column that is not told otherwise."""
        return "string" if self.kind == "uuid" else self.kind

    def value(self, number: int) -> Any:
        """The value of a number."""
        return MAKE.get(self.kind, int)(self.start + self.step * number)

    def relatives(self) -> list[str]:
        """Other Spark types in which a foreign key may hold these values."""
        if self.kind in WIDTHS:
            most = abs(self.start) + self.step * self.capacity
            return [t for t, width in WIDTHS.items() if t != self.kind and most < width]
        wide = {"char(6)": ["string", "varchar(20)"], "varchar(20)": ["string"], "string": ["varchar(40)"]}
        return wide.get(self.kind, [])


def draw_domain(rng: np.random.Generator) -> Domain:
    """A domain of any kind."""
    shares = np.array([share for share, _ in KINDS.values()])
    kind = str(rng.choice(list(KINDS), p=shares / shares.sum()))
    start = KINDS[kind][1][int(rng.integers(len(KINDS[kind][1])))]
    wide = kind not in ("boolean", "tinyint", "smallint")
    return Domain(kind, start, int(rng.choice([1, 1, 1, 3, 10])) if wide else 1)
