"""Random databases of accounts with their history, their events and their bills, whose numbers are put together.

What is planted: keys that are texts with the year, the country or a group in them; numbered periods that follow each
other, of which the last one goes on; the state of an account, which is that of its last period and tells the discount
of its bills; events that are there where the account says so, at the account's times.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from tests.rules.planted import DAY, NOON, Database, Frames, each

COUNTRIES, CLASSES = ("DE", "FR", "PL", "SE"), ("gold", "silver", "basic")


def records(seed: int) -> Database:
    """The database of a seed."""
    rng = np.random.default_rng(seed + 7_000)
    db = Database(rng, f"r{seed}_")
    _accounts(db, int(rng.integers(250, 500)))
    _periods(db)
    _events(db)
    _bills(db)
    return db


def _key(table: str) -> dict[str, Any]:
    return {"columns": ["holder"], "references": table, "referenced_columns": ["holder"]}


def by_account(frame: pd.DataFrame, order: list[str], holds: Callable[[pd.DataFrame], bool]) -> float:
    """The share of accounts of whose rows, in an order, something holds."""
    return float(np.mean([holds(g) for _, g in frame.sort_values(order).groupby("holder", sort=False)]))


def _accounts(db: Database, rows: int) -> None:
    """Accounts whose number begins with their country; they were opened, most were sent, some of these came."""
    countries = [str(c) for c in db.rng.choice(COUNTRIES, rows)]
    mark = str(db.rng.choice(["", "-", "/"]))
    numbers = [f"{c}{mark}{n:05d}" for c, n in zip(countries, db.rng.permutation(100_000)[:rows], strict=True)]
    db.columns["account"] = {"holder": ("string", numbers), "country": ("string", list(countries))}
    opened = [NOON + dt.timedelta(minutes=int(m)) for m in db.rng.integers(0, 900_000, rows)]
    sent = [None if db.rng.random() < 0.2 else o + dt.timedelta(minutes=int(db.rng.integers(5, 3_000))) for o in opened]
    came = [
        None if s is None or db.rng.random() < 0.3 else s + dt.timedelta(minutes=int(db.rng.integers(3_000, 9_000)))
        for s in sent
    ]
    for name, values in (("opened", opened), ("sent", sent), ("came", came)):
        db.add("account", name, "timestamp", values)
    db.metadata["account"] = {"primary_key": "holder", "foreign_keys": []}
    db.rule(
        "country in a key", "account", "holder", lambda f: each(f["account"], ["holder", "country"], str.startswith)
    )


def _periods(db: Database) -> None:
    """Numbered periods; the next one begins at the last one's end, or the day after; each has a class."""
    gap, accounts = int(db.rng.integers(0, 2)), db.values("account", "holder")
    count = 1 + db.rng.poisson(1.2, len(accounts))
    of = np.repeat(np.arange(len(accounts)), count)
    days, last = db.rng.integers(20, 400, len(of)), np.append(of[1:] != of[:-1], True)
    begin = db.rng.integers(0, 900, len(accounts))[of] + pd.Series(days + gap).groupby(of).cumsum() - days - gap
    classes = [str(c) for c in db.rng.choice(CLASSES, len(of))]
    db.columns["period"] = {
        "holder": ("string", [accounts[i] for i in of]),
        "version": ("int", [int(n) for k in count for n in range(1, k + 1)]),
        "since": ("date", [DAY + dt.timedelta(days=int(b)) for b in begin]),
        "until": (
            "date",
            [None if e else DAY + dt.timedelta(days=int(b + d)) for b, d, e in zip(begin, days, last, strict=True)],
        ),
        "class": ("string", classes),
    }
    db.add("account", "class", "string", [c for c, end in zip(classes, last, strict=True) if end])
    db.metadata["period"] = {"primary_key": ["holder", "version"], "foreign_keys": [_key(f"{db.prefix}account")]}

    def follows(g: pd.DataFrame) -> bool:
        pairs = zip(g["until"][:-1], g["since"][1:], strict=True)
        return all(a is not None and b == a + dt.timedelta(days=gap) for a, b in pairs)

    def of_account(f: Frames) -> float:
        known = dict(zip(f["account"]["holder"], f["account"]["class"], strict=True))
        return by_account(
            f["period"], ["holder", "version"], lambda g: g["class"].iloc[-1] == known[g["holder"].iloc[0]]
        )

    for kind, holds in (
        ("periods that follow", follows),
        ("a period that goes on", lambda g: g["until"].isna().tolist() == [False] * (len(g) - 1) + [True]),
    ):
        db.rule(kind, "period", "until", lambda f, h=holds: by_account(f["period"], ["holder", "version"], h))
    db.rule("the last state", "period", "class", of_account)


def _events(db: Database) -> None:
    """One event when an account was opened, one when it was sent, one at last when it came; others between."""
    kinds, times, of, n = list[str](), list[dt.datetime](), list[str](), list[int]()
    names = ("holder", "opened", "sent", "came")
    for number, opened, sent, came in zip(*(db.values("account", c) for c in names), strict=True):
        known = [("opened", opened)] + ([("sent", sent)] if sent else [])
        more, at = list[tuple[str, dt.datetime]](), known[-1][1]
        for _ in range(db.rng.poisson(1.2)):
            at += dt.timedelta(minutes=int(db.rng.integers(1, 600)))
            if came is None or at < came:
                more.append((str(db.rng.choice(["call", "note", "scan"])), at))
        every = [*known, *more, *([("came", came)] if came else [])]
        for i, (kind, when) in enumerate(every):
            of, n, kinds, times = [*of, number], [*n, i + 1], [*kinds, kind], [*times, when]
    db.columns["event"] = {
        "holder": ("string", of),
        "n": ("int", n),
        "kind": ("string", kinds),
        "at": ("timestamp", times),
    }
    db.metadata["event"] = {"primary_key": ["holder", "n"], "foreign_keys": [_key(f"{db.prefix}account")]}

    def told(f: Frames, kind: str) -> float:
        known = dict(zip(f["account"]["holder"], f["account"][kind], strict=True))
        seen = f["event"].groupby("holder")["kind"].agg(lambda g: (g == kind).sum())
        return float(np.mean([seen.get(a, 0) == (not pd.isna(t)) for a, t in known.items()]))

    def timed(f: Frames, kind: str) -> float:
        known = dict(zip(f["account"]["holder"], f["account"][kind], strict=True))
        return each(f["event"], ["holder", "kind", "at"], lambda a, k, t: k != kind or t == known[a])

    for kind in ("sent", "came"):
        db.rule("an event by a state", "event", "kind", lambda f, k=kind: told(f, k))
    for kind in ("opened", "sent", "came"):
        db.rule("the time of an event", "event", "at", lambda f, k=kind: timed(f, k))
    db.rule("events rise", "event", "at", lambda f: by_account(f["event"], ["holder", "n"], _rises))


def _rises(g: pd.DataFrame) -> bool:
    return all(a <= b for a, b in zip(g["at"][:-1], g["at"][1:], strict=True))


def _bills(db: Database) -> None:
    """Bills with their year and a group of theirs in the number, and the discount of their account's class."""
    rows, mark = int(db.rng.integers(600, 1_200)), str(db.rng.choice(["-", "/", ""]))
    issued = [DAY + dt.timedelta(days=int(d)) for d in db.rng.integers(0, 1_800, rows)]
    groups = [str(g) for g in db.rng.choice(["steel", "paint", "food"], rows)]
    codes = {g: g[: int(db.rng.integers(1, 3))].upper() for g in sorted(set(groups))}
    wide = zip(issued, groups, db.rng.permutation(1_000_000)[:rows], strict=True)
    numbers = [f"{codes[g]}{mark or '-'}{d.year}-{i:06d}" for d, g, i in wide]
    who = [str(a) for a in db.rng.choice(db.values("account", "holder"), rows)]
    rates = dict(zip(CLASSES, db.rng.choice([0.0, 0.03, 0.05, 0.12, 0.2], 3, replace=False), strict=True))
    known = dict(zip(db.values("account", "holder"), db.values("account", "class"), strict=True))
    net = np.round(db.rng.gamma(2, 90, rows) + 1, 2)
    off = np.floor(net * [rates[known[a]] for a in who] * 100 + 0.5 + 1e-9) / 100
    db.columns["bill"] = {
        "bill": ("string", numbers),
        "holder": ("string", who),
        "issued": ("date", issued),
        "grouping": ("string", groups),
        "net": ("double", net.tolist()),
        "off": ("double", off.tolist()),
    }
    db.metadata["bill"] = {"primary_key": "bill", "foreign_keys": [_key(f"{db.prefix}account")]}

    def rated(f: Frames) -> float:
        states = dict(zip(f["account"]["holder"], f["account"]["class"], strict=True))
        return each(f["bill"], ["holder", "net", "off"], lambda a, n, o: abs(n * rates[states[a]] - o) < 0.0051)

    db.rule("year in a key", "bill", "bill", lambda f: each(f["bill"], ["bill", "issued"], _dated))
    db.rule(
        "group in a key",
        "bill",
        "bill",
        lambda f: each(f["bill"], ["bill", "grouping"], lambda b, g: b.startswith(codes[g] + (mark or "-"))),
    )
    db.rule("rate of a state that is handed down", "bill", "off", rated)


def _dated(number: str, day: dt.date) -> bool:
    return number.split("-")[-2].split("/")[-1] == str(day.year)
