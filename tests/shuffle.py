"""A model that learns nothing but the values of each column: structural tests need no training."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from synthohive_spark.models.base import ConditionalGenerativeModel

READ = {"Decimal": Decimal, "date": dt.date.fromisoformat, "Timestamp": pd.Timestamp, "NoneType": lambda text: None}


class ColumnShuffle(ConditionalGenerativeModel):
    """Draws each column's values independently of the rest, nulls included."""

    def fit(self, data: pd.DataFrame, context: Any = None, table_name: Any = None, seed: Any = None) -> ColumnShuffle:
        self.seen = list(context.columns) if context is not None else []
        self.pools = {c: [None if pd.isna(v) else v for v in data[c].tolist()] for c in data.columns}
        return self

    def sample(self, num_rows: int, context: Any = None, seed: int | None = None) -> pd.DataFrame:
        assert self.seen == (list(context.columns) if context is not None else [])
        rng = np.random.default_rng(seed)
        drawn = {c: [p[i] for i in rng.integers(0, len(p), num_rows)] for c, p in self.pools.items()}
        return pd.DataFrame({c: pd.Series(v, dtype=object) for c, v in drawn.items()}, index=range(num_rows))

    def save(self, path: str | Path) -> None:
        pools = {
            c: [[type(v).__name__, v if type(v) in (int, float, bool) else str(v)] for v in p]
            for c, p in self.pools.items()
        }
        Path(path, "pools.json").write_text(json.dumps({"seen": self.seen, "pools": pools}))

    @classmethod
    def load(cls, path: str | Path) -> ColumnShuffle:
        model, state = cls(), json.loads(Path(path, "pools.json").read_text())
        model.seen = state["seen"]
        model.pools = {c: [READ.get(kind, lambda v: v)(v) for kind, v in p] for c, p in state["pools"].items()}
        return model


class Told(ColumnShuffle):
    """Says of each row whether it was drawn among rows that stand for the table: 1, or 0."""

    def sample(self, num_rows: int, context: Any = None, seed: int | None = None) -> pd.DataFrame:
        return pd.DataFrame(dict.fromkeys(self.pools, 0), index=range(num_rows))

    def sample_table(self, num_rows: int, context: Any = None, seed: int | None = None) -> pd.DataFrame:
        return pd.DataFrame(dict.fromkeys(self.pools, 1), index=range(num_rows))


class Parrot(ColumnShuffle):
    """Repeats whole rows of its training: what an audit must find out."""

    def sample(self, num_rows: int, context: Any = None, seed: int | None = None) -> pd.DataFrame:
        rows = np.random.default_rng(seed).integers(0, len(next(iter(self.pools.values()))), num_rows)
        drawn = {c: pd.Series([p[i] for i in rows], dtype=object) for c, p in self.pools.items()}
        return pd.DataFrame(drawn, index=range(num_rows))
