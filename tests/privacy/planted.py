"""Databases in which values are planted that few people hold, and what of them nothing that a run leaves may hold."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

K, CUSTOMERS = 5, 150
PLANTED = ((1, 1), (2, 1), (3, 1), (10, 1), (2, 2), (3, 3), (10, 2), (10, 3), (5, 5), (10, 5))  # rows of people
FIRST, START = dt.date(2015, 1, 1), dt.datetime(2021, 3, 4)
COMMENT = "Canarycomment"
Owner = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Database:
    """Tables, what is said of them, and the values that fewer than K people hold, by what they are called."""

    tables: dict[str, pd.DataFrame]
    metadata: dict[str, Any]
    rare: dict[str, Any]
    subject: str | None = None


def number(name: str) -> int:
    """A number that belongs to a canary."""
    return 1 + sum(ord(c) * 31**i for i, c in enumerate(name)) % 9973


def value(kind: str, name: str) -> Any:
    """A value of its own: those of the middle lie among the others, those of the ends beyond them."""
    n = number(name)
    return {
        "word": f"Canary{n:04d}q",
        "middle": 400.0 + n / 1e4 + 3e-9 * n,  # among floats of 4 decimals; this one has more
        "end": 9_000_000 + 7 * n,
        "whole": 20_000_000 + 3_571 * n,
        "day": dt.date(1921, 1, 1) + dt.timedelta(days=n),
        "moment": dt.datetime(2021, 6, 1) + dt.timedelta(microseconds=997_331 * n * 101 + 17),
    }[kind]


KINDS = ("word", "middle", "end", "whole", "day", "moment")


def columns(rng: np.random.Generator, rows: int) -> pd.DataFrame:
    """What others hold."""
    words = rng.choice(["red", "green", "blue", "grey"], rows, p=[0.4, 0.3, 0.2, 0.1])
    return pd.DataFrame(
        {
            "word": words,
            "middle": rng.normal(400, 80, rows).round(4),
            "end": rng.integers(1_000, 2_000, rows),
            "whole": rng.integers(1_000_000, 90_000_000, rows),
            "day": [FIRST + dt.timedelta(days=int(d)) for d in rng.integers(0, 1500, rows)],
            "moment": pd.to_datetime(START) + pd.to_timedelta(rng.integers(0, 10**13, rows), unit="us"),
        }
    )


def planted(rng: np.random.Generator, frame: pd.DataFrame, table: str, owner: Owner) -> dict[str, Any]:
    """Plants the canaries of a table in place, as far as it has people; returns those that fewer than K people hold.

    Args:
        rng: what decides who gets which.
        frame: the table.
        table: its name.
        owner: the person of each row.
    """
    rare: dict[str, Any] = {}
    rows_of = {p: np.flatnonzero(owner == p) for p in np.unique(owner).tolist()}
    for kind in KINDS:
        free, column = rng.permutation([*rows_of]).tolist(), list(frame[kind])
        for rows, persons in PLANTED:
            each = [rows // persons + (i < rows % persons) for i in range(persons)]
            able = [p for p in free if len(rows_of[p]) >= each[0]][:persons]
            if persons > rows or len(able) < persons:
                continue
            free = [p for p in free if p not in able]
            name = f"{table}.{kind}.{rows}.{persons}"
            for person, n in zip(able, each, strict=True):
                for at in rows_of[person][:n]:
                    column[at] = value(kind, name)
            if persons < K:
                rare[name] = value(kind, name)
        frame[kind] = column
    return rare


def key(columns: list[str], references: str, referenced: list[str]) -> dict[str, Any]:
    """A foreign key."""
    return {"columns": columns, "references": references, "referenced_columns": referenced}


def chain() -> Database:
    """Customers, their orders and the lines of these, with canaries in all."""
    rng, rare = np.random.default_rng(11), dict[str, Any]()
    customers = columns(rng, CUSTOMERS)
    customers.insert(0, "customer", 48_213_577 + 3 * np.arange(CUSTOMERS))
    owner = np.repeat(np.arange(CUSTOMERS), rng.integers(8, 16, CUSTOMERS))
    orders = columns(rng, len(owner))
    orders.insert(0, "order", 61_377_213 + np.arange(len(owner)))
    orders.insert(1, "customer", customers["customer"].to_numpy()[owner])
    of = np.repeat(np.arange(len(owner)), rng.integers(1, 3, len(owner)))
    lines = columns(rng, len(of))
    lines.insert(0, "line", np.arange(len(of)))
    lines.insert(1, "order", orders["order"].to_numpy()[of])
    owners = {"customers": np.arange(CUSTOMERS), "orders": owner, "lines": owner[of]}
    tables = {"customers": customers, "orders": orders, "lines": lines}
    for name, frame in tables.items():
        rare |= planted(rng, frame, name, owners[name])
    rare |= {"customers.key": 48_213_577, "orders.key": 61_377_213}
    metadata: dict[str, Any] = {
        "customers": {"primary_key": "customer"},
        "orders": {"primary_key": "order", "foreign_keys": [key(["customer"], "customers", ["customer"])]},
        "lines": {"primary_key": "line", "foreign_keys": [key(["order"], "orders", ["order"])]},
    }
    return Database(tables, metadata, rare)


def mails() -> Database:
    """Users whose key is their address of e-mail, what they post, and what others say of it."""
    rng, rare = np.random.default_rng(12), dict[str, Any]()
    syllables = [a + b for a in "bdfglmnrst" for b in "aeiou"]
    words = ["".join(rng.choice(syllables, 3)) for _ in range(2 * CUSTOMERS)]
    users = columns(rng, CUSTOMERS)
    mail = [f"{a}.{b}{i}@{a}.test" for i, (a, b) in enumerate(zip(words[::2], words[1::2], strict=True))]
    mail[7] = "canarymail.seven@canaryhost.test"
    users.insert(0, "email", mail)
    users.insert(1, "name", [f"{a} {b}".title() for a, b in zip(words[::2], words[1::2], strict=True)])
    owner = np.repeat(np.arange(CUSTOMERS), rng.integers(5, 12, CUSTOMERS))
    posts = columns(rng, len(owner))
    posts.insert(0, "post", [f"P-{71_300_000 + 17 * i}" for i in range(len(owner))])
    posts.insert(1, "author", users["email"].to_numpy()[owner])
    posts.insert(2, "signed", users["name"].to_numpy()[owner])  # a parent's name, which nobody declared
    of = np.repeat(np.arange(len(owner)), rng.integers(0, 3, len(owner)))
    said = columns(rng, len(of))
    said.insert(0, "post", posts["post"].to_numpy()[of])
    said.insert(1, "nr", pd.Series(of).groupby(of).cumcount().to_numpy() + 1)
    said.insert(2, "about", users["email"].to_numpy()[owner[of]])  # a grandparent's key
    owners = {"users": np.arange(CUSTOMERS), "posts": owner, "comments": owner[of]}
    tables = {"users": users, "posts": posts, "comments": said}
    for name, frame in tables.items():
        rare |= planted(rng, frame, name, owners[name])
    rare |= {f"mail {i}": mail[i] for i in range(0, CUSTOMERS, 10)} | {"mail 7": mail[7]}
    rare |= {f"name {i}": users["name"][i] for i in range(0, CUSTOMERS, 10)} | {"post": posts["post"][0]}
    metadata: dict[str, Any] = {
        "users": {"primary_key": "email", "pii": ["email"]},
        "posts": {"primary_key": "post", "foreign_keys": [key(["author"], "users", ["email"])]},
        "comments": {"primary_key": ["post", "nr"], "foreign_keys": [key(["post"], "posts", ["post"])]},
    }
    return Database(tables, metadata, rare)


def northwind(data: Path) -> Database:
    """All tables of northwind with columns of canaries, and one in each of their own columns of text that is no key."""
    rng, rare = np.random.default_rng(13), dict[str, Any]()
    spec: Mapping[str, Any] = json.loads((data / "northwind" / "schema.json").read_text())["tables"]
    tables = {t: pd.read_parquet(data / "northwind" / f"{t}.parquet") for t in spec}
    place = {c: i for i, c in enumerate(tables["customers"]["customer_id"])}
    of_order = dict(zip(tables["orders"]["order_id"], tables["orders"]["customer_id"].map(place), strict=True))
    owners: dict[str, Owner] = {t: np.arange(len(frame)) for t, frame in tables.items()}
    owners["orders"] = tables["orders"]["customer_id"].map(place).to_numpy()
    owners["order_details"] = tables["order_details"]["order_id"].map(of_order).to_numpy()
    metadata = dict[str, Any]()
    for t, said in spec.items():
        primary, foreign = said["primary_key"], said["foreign_keys"]
        keys = {*([primary] if isinstance(primary, str) else primary), *(c for fk in foreign for c in fk["columns"])}
        frame = pd.concat([tables[t], columns(rng, len(tables[t]))], axis=1)
        for c in (c for c, kind in said["columns"].items() if kind == "string" and c not in keys):
            name, texts = f"{t}.{c}", list(frame[c].astype(object))
            texts[int(rng.integers(len(texts)))] = rare[name] = value("word", name)
            frame[c] = texts
        rare |= planted(rng, frame, t, owners[t])
        tables[t] = frame
        metadata[t] = {"primary_key": primary, "foreign_keys": foreign, "pii": said["pii"]}
    return Database(tables, metadata, rare, "customers")


DATABASES: dict[str, Callable[[Path], Database]] = {
    "chain": lambda data: chain(),
    "mails": lambda data: mails(),
    "northwind": northwind,
}
