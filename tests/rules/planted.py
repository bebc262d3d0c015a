"""Random databases with planted rules: kinds composed at random, near-rules that hold on 97 %, accidents of few rows.

Four tables: parents, other parents, children of both, and grandchildren that also name their child's parent. Each
planter adds columns to one of them and says how to ask, in plain Python, on which share of the rows its rule holds.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from tests.schemas.delta_files import Columns

Frames = Mapping[str, pd.DataFrame]
NEAR = 0.03  # rows on which a near-rule does not hold
SYLLABLES = ("ba", "co", "di", "fu", "ge", "ho", "ka", "li", "mo", "nu", "pa", "re", "si", "to", "vu", "za")
DAY = dt.date(2021, 1, 1)
NOON = dt.datetime(2021, 1, 1, 12, tzinfo=dt.timezone.utc)


@dataclass(frozen=True)
class Planted:
    """One rule of a database.

    Attributes:
        kind: which planter made it.
        table: whose rows it speaks of.
        column: the column that follows.
        sort: it is a rule, holds on most rows only, or is an accident of few rows.
        share: of the rows of a database (or of what they are grouped by) on which it holds.
    """

    kind: str
    table: str
    column: str
    sort: Literal["rule", "near", "accident"]
    share: Callable[[Frames], float]


@dataclass
class Database:
    """A database while it is made: columns as lists of Python values, with their Spark types."""

    rng: np.random.Generator
    prefix: str
    columns: dict[str, dict[str, tuple[str, list[Any]]]] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    rules: list[Planted] = field(default_factory=list)
    made: int = 0
    counter: str = ""

    def name(self, stem: str) -> str:
        """A column name that no other planter takes."""
        self.made += 1
        return f"{stem}{self.made}"

    def rows(self, table: str) -> int:
        """Rows of a table."""
        return len(next(iter(self.columns[table].values()))[1])

    def add(self, table: str, name: str, kind: str, values: list[Any]) -> None:
        """A column of a table."""
        self.columns[table][name] = (kind, values)

    def values(self, table: str, name: str) -> list[Any]:
        """A column's values."""
        return self.columns[table][name][1]

    def up(self, table: str, key: str, parent: str, name: str) -> list[Any]:
        """The parent's value of each row of a table."""
        known = dict(zip(self.values(parent, "id"), self.values(parent, name), strict=True))
        return [known.get(k) for k in self.values(table, key)]

    def word(self, syllables: int = 3) -> str:
        """A made-up word."""
        return "".join(self.rng.choice(SYLLABLES, syllables)).title()

    def words(self, count: int, syllables: int = 3) -> list[str]:
        """Different made-up words."""
        found = dict.fromkeys(self.word(syllables) for _ in range(3 * count))
        return list(found)[:count]

    def category(self, count: int, rows: int) -> list[str]:
        """A text of few values, unevenly spread, each on ten rows at least where there are enough."""
        names = self.words(count)
        some = self.rng.dirichlet(np.full(len(names), 2.0))
        drawn = [names[i] for i in self.rng.choice(len(names), rows, p=some)]
        for i, name in enumerate(np.repeat(names, min(10, rows // (2 * len(names))))):
            drawn[i] = str(name)
        return [drawn[i] for i in self.rng.permutation(rows)]

    def rule(self, kind: str, table: str, column: str, share: Callable[[Frames], float]) -> None:
        """A rule that the source keeps on every row."""
        self.rules.append(Planted(kind, table, column, "rule", share))

    def written(self) -> dict[str, Columns]:
        """The tables as they are written."""
        return {
            self.prefix + t: {c: (kind, c == "id", values) for c, (kind, values) in columns.items()}
            for t, columns in self.columns.items()
        }

    def frames(self, tables: Mapping[str, Columns]) -> Frames:
        """Tables as they were read, by their names in here."""
        return {
            t: pd.DataFrame({c: pd.Series(v, dtype=object) for c, (_, _, v) in tables[self.prefix + t].items()})
            for t in self.columns
        }


def each(frame: pd.DataFrame, names: list[str], holds: Callable[..., bool]) -> float:
    """The share of rows on which something holds of their values; 1 where no row says anything."""
    kept = [holds(*row) for row in zip(*(frame[n] for n in names), strict=True)]
    return float(np.mean(kept)) if kept else 1.0


def with_parent(frames: Frames, table: str, key: str, parent: str, wanted: str) -> pd.DataFrame:
    """Rows with a column of their parent, as ``up``."""
    known = dict(zip(frames[parent]["id"], frames[parent][wanted], strict=True))
    return frames[table].assign(up=pd.Series([known.get(k) for k in frames[table][key]], dtype=object))


def spoilt(db: Database, values: list[Any], others: list[Any]) -> list[Any]:
    """The values with other ones on as many rows as a near-rule leaves out."""
    return [o if bad else v for v, o, bad in zip(values, others, db.rng.random(len(values)) < NEAR, strict=True)]


def plant_dictionary(db: Database) -> None:
    """A code decides its description and its rate."""
    table = db.rng.choice(["child", "grandchild"])
    rows, code, text, rate = db.rows(table), db.name("code"), db.name("label"), db.name("rate")
    codes = db.category(int(db.rng.integers(6, 20)), rows)
    names = sorted(set(codes))
    labels = {n: f"{a} {b}" for n, a, b in zip(names, db.words(len(names)), db.words(len(names)), strict=True)}
    rates = {n: round(float(db.rng.uniform(1, 90)), 2) for n in names}
    db.add(table, code, "string", codes)
    for name, kind, known in ((text, "string", labels), (rate, "double", rates)):
        db.add(table, name, kind, [known[c] for c in codes])
        db.rule(
            "dictionary",
            table,
            name,
            lambda f, n=name, k=known: _said(f[table], code, n, k),
        )
        db.rule("dependency", table, name, lambda f, n=name: _function(f[table], [code], n))


def plant_near_dictionary(db: Database) -> None:
    """A code nearly decides its label."""
    rows, code, text = db.rows("child"), db.name("code"), db.name("label")
    codes = db.category(8, rows)
    labels = dict(zip(sorted(set(codes)), db.words(len(set(codes))), strict=False))
    right = [labels[c] for c in codes]
    db.add("child", code, "string", codes)
    db.add("child", text, "string", spoilt(db, right, [right[i] for i in db.rng.permutation(rows)]))
    near = Planted(
        "dictionary", "child", text, "near", lambda f: each(f["child"], [code, text], lambda c, v: labels.get(c) == v)
    )
    db.rules.append(near)


def plant_parents_dictionary(db: Database) -> None:
    """The parent's category decides a class of its children."""
    kind, own = db.name("segment"), db.name("tier")
    db.add("parent", kind, "string", db.category(6, db.rows("parent")))
    tiers = {k: f"T{i % 3}" for i, k in enumerate(sorted(set(db.values("parent", kind))))}
    db.add("child", own, "string", [tiers[v] for v in db.up("child", "parent_id", "parent", kind)])
    db.rule(
        "dictionary of a parent",
        "child",
        own,
        lambda f: each(
            with_parent(f, "child", "parent_id", "parent", kind), ["up", own], lambda u, v: tiers.get(u, v) == v
        ),
    )


def plant_order(db: Database) -> None:
    """An end is never before its begin; sometimes it is not known."""
    rows, begin, end = db.rows("grandchild"), db.name("begin"), db.name("end")
    starts = [NOON + dt.timedelta(minutes=int(m)) for m in db.rng.integers(0, 900_000, rows)]
    stops = [s + dt.timedelta(minutes=int(m)) for s, m in zip(starts, db.rng.exponential(300, rows), strict=True)]
    db.add("grandchild", begin, "timestamp", starts)
    db.add("grandchild", end, "timestamp", [None if db.rng.random() < 0.2 else s for s in stops])
    db.rule("order", "grandchild", end, lambda f: each(f["grandchild"], [begin, end], lambda a, b: b is None or a <= b))


def plant_order_of_numbers(db: Database) -> None:
    """What is paid is never more than what is asked."""
    rows, asked, paid = db.rows("child"), db.name("asked"), db.name("paid")
    amounts = np.round(db.rng.gamma(2, 200, rows) + 5, 2)
    parts = np.where(db.rng.random(rows) < 0.3, 0, np.floor(amounts * db.rng.beta(4, 1, rows) * 100) / 100)
    db.add("child", asked, "double", amounts.tolist())
    db.add("child", paid, "double", parts.tolist())
    db.rule("order of numbers", "child", paid, lambda f: each(f["child"], [asked, paid], lambda a, b: b <= a))


def plant_order_with_parent(db: Database) -> None:
    """What a child does lies between the parent's first and last day; some parents have no last one."""
    rows, first, last, when = db.rows("parent"), db.name("first"), db.name("last"), db.name("when")
    firsts = [DAY + dt.timedelta(days=int(d)) for d in db.rng.integers(0, 1_500, rows)]
    lasts = [
        None if db.rng.random() < 0.3 else f + dt.timedelta(days=int(d))
        for f, d in zip(firsts, db.rng.integers(10, 900, rows), strict=True)
    ]
    db.add("parent", first, "date", firsts)
    db.add("parent", last, "date", lasts)
    whens = []
    for a, b in zip(
        db.up("child", "parent_id", "parent", first), db.up("child", "parent_id", "parent", last), strict=True
    ):
        span = (b - a).days if b is not None else 700
        whens.append(
            dt.datetime(a.year, a.month, a.day, tzinfo=dt.timezone.utc)
            + dt.timedelta(days=int(db.rng.integers(0, span)), minutes=int(db.rng.integers(1_440)))
        )
    db.add("child", when, "timestamp", whens)
    db.rule("order", "parent", last, lambda f: each(f["parent"], [first, last], lambda a, b: b is None or a <= b))
    for bound, fine in (
        (first, lambda u, w: u is None or u <= w.date()),
        (last, lambda u, w: u is None or w.date() <= u),
    ):
        db.rule(
            "order with a parent",
            "child",
            when,
            lambda f, b=bound, ok=fine: each(with_parent(f, "child", "parent_id", "parent", b), ["up", when], ok),
        )


def plant_product(db: Database) -> None:
    """A line's price is quantity times the other parent's unit price, less a discount."""
    unit, many, off, price = db.name("unit"), db.name("quantity"), db.name("discount"), db.name("price")
    db.add("other", unit, "double", np.round(db.rng.gamma(2, 30, db.rows("other")) + 1, 2).tolist())
    rows = db.rows("child")
    quantities, discounts = db.rng.integers(1, 40, rows), db.rng.choice([0.0, 0.05, 0.1, 0.15, 0.2], rows)
    discounted = db.rng.random() < 0.5
    units = np.array(db.up("child", "other_id", "other", unit))
    prices = np.round(units * quantities * ((1 - discounts) if discounted else 1), 2)
    db.add("child", many, "int", quantities.tolist())
    db.add("child", off, "double", discounts.tolist())
    db.add("child", price, "double", prices.tolist())

    def right(u: float, q: int, d: float, p: float) -> bool:
        return abs(u * q * ((1 - d) if discounted else 1) - p) < 0.0051

    db.rule(
        "product of a parent's number",
        "child",
        price,
        lambda f: each(with_parent(f, "child", "other_id", "other", unit), ["up", many, off, price], right),
    )


def plant_chain(db: Database) -> None:
    """Tax is a percentage of the subtotal, and the total adds it and the freight."""
    net, tax, freight, total = db.name("net"), db.name("tax"), db.name("freight"), db.name("total")
    rows, share = db.rows("child"), float(db.rng.choice([0.08, 0.19, 0.2, 0.07]))
    nets, freights = np.round(db.rng.gamma(2, 90, rows) + 1, 2), np.round(db.rng.gamma(2, 6, rows), 2)
    taxes = np.round(nets * share + 1e-9, 2)
    for name, values in ((net, nets), (tax, taxes), (freight, freights), (total, np.round(nets + taxes + freights, 2))):
        db.add("child", name, "double", values.tolist())
    db.rule(
        "percentage", "child", tax, lambda f: each(f["child"], [net, tax], lambda n, t: abs(n * share - t) < 0.0051)
    )
    db.rule(
        "sum of three",
        "child",
        total,
        lambda f: each(f["child"], [net, tax, freight, total], lambda n, t, x, s: abs(n + t + x - s) < 0.0051),
    )


def plant_rate(db: Database) -> None:
    """A tax that the region of the parent tells, of what a line costs; and another one that is no rule on some rows."""
    region, net, tax, near = db.name("region"), db.name("net"), db.name("tax"), db.name("duty")
    rows, regions = db.rows("child"), db.category(5, db.rows("parent"))
    rates = {r: float(db.rng.choice([0.0, 0.05, 0.07, 0.19, 0.21, 0.25])) for r in sorted(set(regions))}
    rates |= {min(rates): 0.05, max(rates): 0.19}
    db.add("parent", region, "string", regions)
    nets = np.round(db.rng.gamma(2, 90, rows) + 1, 2)
    taxes = np.floor(nets * [rates[r] for r in db.up("child", "parent_id", "parent", region)] * 100 + 0.5 + 1e-9) / 100
    for name, values in ((net, nets.tolist()), (tax, taxes.tolist())):
        db.add("child", name, "double", values)
    db.add("child", near, "double", spoilt(db, taxes.tolist(), np.round(taxes + 1 + db.rng.random(rows), 2).tolist()))

    def share(f: Frames, of: str) -> float:
        seen = with_parent(f, "child", "parent_id", "parent", region)
        return each(seen, ["up", net, of], lambda u, n, t: u not in rates or abs(n * rates[u] - t) < 0.0051)

    db.rule("rate by category", "child", tax, lambda f: share(f, tax))
    db.rules.append(Planted("rate by category", "child", near, "near", lambda f: share(f, near)))


def plant_months(db: Database) -> None:
    """A term ends one month or a year after it begins, as the plan says."""
    plan, begin, end, rows = db.name("plan"), db.name("begun"), db.name("ends"), db.rows("grandchild")
    terms = dict(zip((db.word(), db.word()), (1, 12), strict=True))
    plans = [str(p) for p in db.rng.choice(sorted(terms), rows)]
    begun = [DAY + dt.timedelta(days=int(d)) for d in db.rng.integers(0, 900, rows)]
    db.add("grandchild", plan, "string", plans)
    db.add("grandchild", begin, "date", begun)
    db.add("grandchild", end, "date", [in_months(b, terms[p]) for b, p in zip(begun, plans, strict=True)])
    db.rule(
        "months by category",
        "grandchild",
        end,
        lambda f: each(f["grandchild"], [plan, begin, end], lambda p, b, e: e == in_months(b, terms[p])),
    )


def in_months(day: dt.date, months: int) -> dt.date:
    """The same day so many months later, the last one of the month where it is too short."""
    month = day.year * 12 + day.month - 1 + months
    last = dt.date((month + 1) // 12, (month + 1) % 12 + 1, 1) - dt.timedelta(1)
    return dt.date(last.year, last.month, min(day.day, last.day))


def plant_near_sum(db: Database) -> None:
    """A sum that was mistyped on some rows."""
    a, b, c, rows = db.name("a"), db.name("b"), db.name("c"), db.rows("grandchild")
    left, right = db.rng.integers(1, 900, rows), db.rng.integers(1, 900, rows)
    db.add("grandchild", a, "bigint", left.tolist())
    db.add("grandchild", b, "bigint", right.tolist())
    db.add("grandchild", c, "bigint", spoilt(db, (left + right).tolist(), db.rng.integers(1, 1_800, rows).tolist()))
    near = Planted(
        "sum", "grandchild", c, "near", lambda f: each(f["grandchild"], [a, b, c], lambda x, y, z: x + y == z)
    )
    db.rules.append(near)


def plant_threshold(db: Database) -> None:
    """A state follows from a day: open after it, and closed or paid before."""
    day, state, flag, rows = db.name("day"), db.name("state"), db.name("flag"), db.rows("grandchild")
    border = DAY + dt.timedelta(days=int(db.rng.integers(200, 600)))
    days = [DAY + dt.timedelta(days=int(d)) for d in db.rng.integers(0, 800, rows)]
    db.add("grandchild", day, "date", days)
    db.add("grandchild", state, "string", ["open" if d > border else "closed" for d in days])
    flags = ["none" if d > border else str(db.rng.choice(["paid", "lost"])) for d in days]
    db.add("grandchild", flag, "string", flags)
    db.rule(
        "decision",
        "grandchild",
        state,
        lambda f: each(f["grandchild"], [day, state], lambda d, s: (d > border) == (s == "open")),
    )
    db.rule(
        "allowed set",
        "grandchild",
        flag,
        lambda f: each(f["grandchild"], [day, flag], lambda d, s: (d > border) == (s == "none")),
    )


def plant_null_where(db: Database) -> None:
    """A number is null exactly where the kind is one of two; two others are null together."""
    kind, size, one, two, rows = db.name("kind"), db.name("size"), db.name("one"), db.name("two"), db.rows("child")
    kinds = db.category(5, rows)
    without = set(sorted(set(kinds))[:2])
    db.add("child", kind, "string", kinds)
    db.add("child", size, "double", [None if k in without else round(float(db.rng.gamma(2, 5)), 1) for k in kinds])
    gone = db.rng.random(rows) < 0.4
    db.add("child", one, "int", [None if g else int(db.rng.integers(90)) for g in gone])
    db.add("child", two, "string", [None if g else str(db.rng.choice(["x", "y", "z"])) for g in gone])
    db.rule(
        "null where",
        "child",
        size,
        lambda f: each(f["child"], [kind, size], lambda k, s: (k in without) == (s is None)),
    )
    db.rule(
        "null together", "child", two, lambda f: each(f["child"], [one, two], lambda a, b: (a is None) == (b is None))
    )


def plant_k_th(db: Database) -> None:
    """A list in columns: the next is set only where the one before it is."""
    names, rows = [db.name("item") for _ in range(3)], db.rows("child")
    filled = db.rng.integers(0, 4, rows)
    for i, name in enumerate(names):
        db.add("child", name, "string", [str(db.rng.choice(["p", "q", "r"])) if n > i else None for n in filled])
    for a, b in itertools.pairwise(names):
        db.rule(
            "k-th only after k-1",
            "child",
            b,
            lambda f, x=a, y=b: each(f["child"], [x, y], lambda u, v: v is None or u is not None),
        )


def plant_prefix(db: Database) -> None:
    """A title goes with the sex, but for one that both have."""
    sex, title, rows = db.name("sex"), db.name("title"), db.rows("parent")
    sexes = [str(s) for s in db.rng.choice(["F", "M"], rows)]
    able = {"F": ["Mrs.", "Ms.", "Dr."], "M": ["Mr.", "Dr."]}
    db.add("parent", sex, "string", sexes)
    db.add("parent", title, "string", [str(db.rng.choice(able[s])) for s in sexes])
    db.rule(
        "allowed set", "parent", title, lambda f: each(f["parent"], [sex, title], lambda s, t: t in able.get(s, [t]))
    )


def plant_text_of_key(db: Database) -> None:
    """A name is a word and the padded key; a code holds the number beside it."""
    name, number, code = db.name("name"), db.name("number"), db.name("sku")
    word, ids = db.word(), db.values("parent", "id")
    db.add("parent", name, "string", [f"{word}#{i:07d}" for i in ids])
    numbers = db.rng.integers(1, 9_999, db.rows("child")).tolist()
    db.add("child", number, "int", numbers)
    db.add("child", code, "string", [f"{word[:3].upper()}-{n:05d}" for n in numbers])
    db.rule(
        "text of a key", "parent", name, lambda f: each(f["parent"], ["id", name], lambda i, t: t == f"{word}#{i:07d}")
    )
    db.rule(
        "text of a number",
        "child",
        code,
        lambda f: each(f["child"], [number, code], lambda n, t: t == f"{word[:3].upper()}-{n:05d}"),
    )


def plant_mail(db: Database) -> None:
    """An address is made of the names beside it."""
    given, family, mail, rows = db.name("given"), db.name("family"), db.name("mail"), db.rows("parent")
    firsts, lasts = [db.word(2) for _ in range(rows)], [db.word(4) for _ in range(rows)]
    db.add("parent", given, "string", firsts)
    db.add("parent", family, "string", lasts)
    db.add("parent", mail, "string", [f"{a}.{b}@example.org".lower() for a, b in zip(firsts, lasts, strict=True)])
    masked = {c: {"action": "mask"} for c in (given, family, mail)}  # fakes agree by themselves
    db.metadata["parent"]["pii"] = {**db.metadata["parent"].get("pii", {}), **masked}
    db.rule(
        "text from parts",
        "parent",
        mail,
        lambda f: each(f["parent"], [given, family, mail], lambda a, b, m: m == f"{a}.{b}@example.org".lower()),
    )


def plant_aggregates(db: Database) -> None:
    """A parent counts its children, adds up what they cost, and is done when all of them are."""
    cost, done, many, sums, state = (db.name(n) for n in ("cost", "done", "many", "spent", "all_done"))
    rows = db.rows("child")
    db.add("child", cost, "double", np.round(db.rng.gamma(2, 40, rows), 2).tolist())
    db.add("child", done, "string", [str(v) for v in db.rng.choice(["Y", "N"], rows, p=[0.7, 0.3])])
    frame = pd.DataFrame({n: db.values("child", n) for n in ("parent_id", cost, done)})
    grouped = frame.groupby("parent_id")
    counts, spent, least = (
        grouped.size().to_dict(),
        grouped[cost].sum().round(2).to_dict(),
        grouped[done].min().to_dict(),
    )
    ids = db.values("parent", "id")
    db.add("parent", many, "bigint", [int(counts.get(i, 0)) for i in ids])
    db.add("parent", sums, "double", [float(spent.get(i, 0.0)) for i in ids])
    db.add("parent", state, "string", [least.get(i, "Y") for i in ids])

    def share(f: Frames, column: str, wanted: Callable[[pd.DataFrame], Any], empty: Any) -> float:
        known = {k: wanted(g) for k, g in f["child"].groupby("parent_id")}
        fine = [
            known.get(i, empty) == v or (isinstance(v, float) and abs(known.get(i, empty) - v) < 0.0051)
            for i, v in zip(f["parent"]["id"], f["parent"][column], strict=True)
        ]
        return float(np.mean(fine))

    db.rule("count of children", "parent", many, lambda f: share(f, many, len, 0))
    db.rule("sum of children", "parent", sums, lambda f: share(f, sums, lambda g: float(g[cost].sum()), 0.0))
    db.rule("all of children", "parent", state, lambda f: share(f, state, lambda g: g[done].min(), "Y"))


def plant_accident(db: Database) -> None:
    """Two rare flags that never meet, and a third that is set wherever the first is: what chance does with few rows."""
    rows, one, two, three = db.rows("parent"), db.name("flag"), db.name("flag"), db.name("flag")
    places = db.rng.permutation(rows)
    first, second = set(places[:3].tolist()), set(places[3:6].tolist())
    db.add("parent", one, "boolean", [i in first for i in range(rows)])
    db.add("parent", two, "boolean", [i in second for i in range(rows)])
    third = first | set(places[6 : rows // 2 + 6].tolist())
    db.add("parent", three, "boolean", [i in third for i in range(rows)])
    for name in (two, three):
        db.rules.append(Planted("accident", "parent", name, "accident", lambda f: 0.0))


def counted(db: Database) -> tuple[str, pd.DataFrame]:
    """The column that counts the children of each parent, planted once, and the children in its order."""
    if not db.counter:
        db.counter = db.name("seq")
        mixed = pd.Series(db.values("child", "parent_id"))[db.rng.permutation(db.rows("child"))]
        seq = (mixed.groupby(mixed).cumcount() + 1).sort_index()
        db.add("child", db.counter, "int", seq.tolist())
        db.rule("counter", "child", db.counter, lambda f: by_parent(f, db.counter, lambda g, c=db.counter: runs(g[c])))
    rows = pd.DataFrame({"of": db.values("child", "parent_id"), "n": db.values("child", db.counter)})
    return db.counter, rows.sort_values(["of", "n"])


def runs(values: pd.Series) -> bool:
    """Whether values run 1, 2, 3 ..."""
    return sorted(values) == list(range(1, len(values) + 1))


def rises(values: pd.Series) -> bool:
    """Whether no value is below the one before."""
    return list(values) == sorted(values)


def by_parent(f: Frames, order: str | list[str], holds: Callable[..., bool]) -> float:
    """The share of parents of whose children, in an order, something holds."""
    return float(np.mean([holds(g) for _, g in f["child"].sort_values(order).groupby("parent_id", sort=False)]))


def plant_ledger(db: Database) -> None:
    """Entries rise by day from the parent's first one, begin with a deposit, and never overdraw their balance."""
    seq, rows = counted(db)
    first, day, kind, amount, balance = (db.name(n) for n in ("opened", "day", "move", "sum", "balance"))
    ids = db.values("parent", "id")
    opened = {i: DAY + dt.timedelta(days=int(d)) for i, d in zip(ids, db.rng.integers(0, 900, len(ids)), strict=True)}
    made: dict[str, dict[Any, Any]] = {day: {}, kind: {}, amount: {}, balance: {}}
    for of, family in rows.groupby("of"):
        when, held = opened[of], 0.0
        for n, row in enumerate(family.index):
            takes = n > 0 and held > 50 and db.rng.random() < 0.5
            moved = round(float(db.rng.uniform(1, held) if takes else db.rng.gamma(2, 100) + 1), 2)
            held = round(held - moved if takes else held + moved, 2)
            made[day][row], made[kind][row] = when, str(db.rng.choice(["OUT", "CARD"] if takes else ["IN"]))
            made[amount][row], made[balance][row] = moved, held
            when += dt.timedelta(days=int(db.rng.integers(0, 30)))
    db.add("parent", first, "date", [opened[i] for i in ids])
    for name, type_ in ((day, "date"), (kind, "string"), (amount, "double"), (balance, "double")):
        db.add("child", name, type_, [made[name][i] for i in range(db.rows("child"))])

    def summed(g: pd.DataFrame) -> bool:
        moves = np.where(g[kind] == "IN", 1, -1) * g[amount].astype(float)
        return bool((np.abs(moves.cumsum() - g[balance].astype(float)) < 0.02).all() and (g[balance] >= 0).all())

    def begins(f: Frames) -> float:
        rows_ = with_parent(f, "child", "parent_id", "parent", first)
        return each(rows_[rows_[seq] == 1], ["up", day], lambda u, d: u is None or u == d)

    db.rule("rising", "child", day, lambda f: by_parent(f, seq, lambda g: rises(g[day])))
    db.rule("first of a kind", "child", kind, lambda f: by_parent(f, seq, lambda g: g[kind].iloc[0] == "IN"))
    db.rule("first day of the parent", "child", day, begins)
    db.rule("running sum", "child", balance, lambda f: by_parent(f, seq, summed))


def plant_meter(db: Database) -> None:
    """A reading that never falls from day to day, with an own beginning for each parent."""
    when, reading = db.name("read"), db.name("reading")
    days = [NOON + dt.timedelta(minutes=int(m)) for m in db.rng.permutation(900_000)[: db.rows("child")]]
    start = {
        i: int(n) for i, n in zip(db.values("parent", "id"), db.rng.integers(0, 50_000, db.rows("parent")), strict=True)
    }
    rows = pd.DataFrame({"of": db.values("child", "parent_id"), "at": days}).sort_values(["of", "at"])
    steps = pd.Series(db.rng.integers(0, 400, len(rows)), index=rows.index).groupby(rows["of"]).cumsum()
    db.add("child", when, "timestamp", days)
    db.add("child", reading, "bigint", [int(steps[i]) + start[rows["of"][i]] for i in range(len(rows))])
    db.rule("rising", "child", reading, lambda f: by_parent(f, [when, reading], lambda g: rises(g[reading])))


def plant_once(db: Database) -> None:
    """One child of each parent is the main one, and at most one is on leave."""
    role, leave = db.name("role"), db.name("leave")
    mixed = pd.Series(db.values("child", "parent_id"))[db.rng.permutation(db.rows("child"))]
    place = mixed.groupby(mixed).cumcount().sort_index()
    others = db.rng.choice(["other", "guest"], len(place))
    db.add("child", role, "string", ["main" if p == 0 else str(o) for p, o in zip(place, others, strict=True)])
    mixed = mixed.sample(frac=1, random_state=int(db.rng.integers(1_000)))
    away = (mixed.groupby(mixed).cumcount() == 0).sort_index() & pd.Series(db.rng.random(len(place)) < 0.8)
    db.add("child", leave, "boolean", away.tolist())
    db.rule("exactly one", "child", role, lambda f: by_parent(f, "id", lambda g: (g[role] == "main").sum() == 1))
    db.rule("at most one", "child", leave, lambda f: by_parent(f, "id", lambda g: g[leave].astype(bool).sum() <= 1))


def plant_steps(db: Database) -> None:
    """A statement of each parent on one day of each month from its first one, and what was paid some days later."""
    stated, paid, rows = db.name("stated"), db.name("paid"), db.rows("child")
    mixed = pd.Series(db.values("child", "parent_id"))[db.rng.permutation(rows)]
    place = mixed.groupby(mixed).cumcount().sort_index()
    ids = db.values("parent", "id")
    first = {i: DAY + dt.timedelta(days=int(d)) for i, d in zip(ids, db.rng.integers(0, 900, len(ids)), strict=True)}
    days = [in_months(first[of], int(n)) for of, n in zip(db.values("child", "parent_id"), place, strict=True)]
    db.add("child", stated, "date", days)
    db.add(
        "child",
        paid,
        "date",
        [d + dt.timedelta(days=int(n)) for d, n in zip(days, db.rng.integers(0, 40, rows), strict=True)],
    )

    def even(g: pd.DataFrame) -> bool:
        known = sorted(g[stated])
        return known == [in_months(known[0], n) for n in range(len(known))]

    db.rule("even steps", "child", stated, lambda f: by_parent(f, "id", even))
    db.rule("order", "child", paid, lambda f: each(f["child"], [stated, paid], lambda a, b: a <= b))


def plant_near_kin(db: Database) -> None:
    """What most parents' children have together: no gap, a first one that is new, one that is chosen."""
    seq, rows = counted(db)
    gap, phase, chosen = db.name("place"), db.name("phase"), db.name("chosen")
    bad = {of for of in rows["of"].unique() if db.rng.random() < NEAR}
    bad |= set(rows["of"].unique()[:3])
    n = rows["n"] + ((rows["n"] > 1) | ~rows["of"].duplicated(keep=False)) * rows["of"].isin(bad)
    db.add("child", gap, "int", n.sort_index().tolist())
    first = np.where((rows["n"] == 1) & ~rows["of"].isin(bad), "new", db.rng.choice(["old", "kept"], len(rows)))
    db.add("child", phase, "string", pd.Series(first, index=rows.index).sort_index().tolist())
    last = ~rows["of"].duplicated(keep="last") & ~rows["of"].isin(bad)
    db.add("child", chosen, "string", np.where(last.sort_index(), "yes", "no").tolist())
    for kind, column, holds in (
        ("counter", gap, lambda g: runs(g[gap])),
        ("first of a kind", phase, lambda g: g[phase].iloc[0] == "new"),
        ("exactly one", chosen, lambda g: (g[chosen] == "yes").sum() == 1),
    ):
        db.rules.append(Planted(kind, "child", column, "near", lambda f, h=holds: by_parent(f, seq, h)))


PLANTERS = (
    plant_dictionary,
    plant_parents_dictionary,
    plant_order,
    plant_order_of_numbers,
    plant_order_with_parent,
    plant_product,
    plant_chain,
    plant_rate,
    plant_months,
    plant_threshold,
    plant_null_where,
    plant_k_th,
    plant_prefix,
    plant_text_of_key,
    plant_mail,
    plant_aggregates,
    plant_near_dictionary,
    plant_near_sum,
    plant_accident,
)
MOST = 10  # planters of one database, of 19
KIN = (
    plant_ledger,
    plant_meter,
    plant_once,
    plant_steps,
    plant_near_kin,
)  # what the children of one parent have together


def database(seed: int) -> Database:
    """The database of a seed, without a source of randomness but this."""
    db = tables(seed)
    for i in db.rng.permutation(len(PLANTERS))[:MOST]:
        PLANTERS[i](db)
    for i in db.rng.permutation(len(KIN))[:2]:
        KIN[i](db)
    return db


def families(seed: int) -> Database:
    """A database of all that children of one parent may have together."""
    db = tables(seed)
    for plant in KIN:
        plant(db)
    return db


def tables(seed: int) -> Database:
    """Four tables of keys, in which nothing is planted but these."""
    db = Database(np.random.default_rng(seed), f"s{seed}_")
    parents, others = int(db.rng.integers(150, 400)), int(db.rng.integers(25, 60))
    children, below = int(db.rng.integers(800, 2_000)), int(db.rng.integers(1_500, 3_000))
    first = int(db.rng.integers(1, 5_000))
    for table, rows in (("parent", parents), ("other", others), ("child", children), ("grandchild", below)):
        db.columns[table] = {"id": ("bigint", list(range(first, first + rows)))}
        db.add(table, db.name("note"), "int", db.rng.integers(0, 50, rows).tolist())
    weights = db.rng.dirichlet(np.full(parents, 1.5))
    who = db.rng.choice(db.values("parent", "id"), children, p=weights)
    db.add("child", "parent_id", "bigint", who.tolist())
    db.add("child", "other_id", "bigint", db.rng.choice(db.values("other", "id"), children).tolist())
    db.add("grandchild", "child_id", "bigint", db.rng.choice(db.values("child", "id"), below).tolist())
    db.add("grandchild", "parent_id", "bigint", db.up("grandchild", "child_id", "child", "parent_id"))
    keys = {
        "child": {"parent_id": "parent", "other_id": "other"},
        "grandchild": {"child_id": "child", "parent_id": "parent"},
    }
    for table in db.columns:
        foreign = [
            {"columns": [c], "references": db.prefix + p, "referenced_columns": ["id"]}
            for c, p in keys.get(table, {}).items()
        ]
        db.metadata[table] = {"primary_key": "id", "foreign_keys": foreign}
    db.rule(
        "key along a path",
        "grandchild",
        "parent_id",
        lambda f: each(
            with_parent(f, "grandchild", "child_id", "child", "parent_id"), ["up", "parent_id"], lambda a, b: a == b
        ),
    )
    return db


def _said(frame: pd.DataFrame, given: str, column: str, known: Mapping[str, Any]) -> float:
    """The share of rows whose value is what a dictionary says; values that it has not count as right."""
    return each(frame, [given, column], lambda key, value: known.get(key, value) == value)


def _function(frame: pd.DataFrame, given: list[str], column: str) -> float:
    """The share of values of some columns that have one value of another."""
    return float((frame.groupby(given, dropna=False)[column].nunique(dropna=False) == 1).mean())
