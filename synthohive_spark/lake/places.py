"""Source, target and workspace lie apart: what a run writes is never what it, or somebody else, reads.

Texts and the file system of this machine tell most of it before a session starts. Whether a name of the catalog and a
folder are one table, only Spark can say.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from itertools import combinations
from pathlib import Path

from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

from synthohive_spark.errors import ConfigError, SourceDataError, WriteError
from synthohive_spark.lake.causes import failing_as
from synthohive_spark.location import Address, Location, Spot, TableRef
from synthohive_spark.parallel import side_by_side

Tables = Mapping[str, TableRef]
RECORDS = ("manifest", "models")  # the tables of a workspace
LEAST_BYTES = 1  # of a value in compressed Parquet: those of few categories take less, few tables have only these
REMEDY = "give each a place of its own, or rows would be overwritten"


def tables_of_run(places: Mapping[str, Location], tables: Iterable[str]) -> dict[str, Tables]:
    """Where the tables of each place of a run lie.

    Args:
        places: ``source``, ``target`` and ``workspace``.
        tables: names of the tables that are learnt and made.
    """
    names = list(tables)
    return {
        name: {t: place.table(t) for t in (RECORDS if name == "workspace" else names)} for name, place in places.items()
    }


def place_problems(places: Mapping[str, Location]) -> list[str]:
    """Every two places of which one is, or lies in, the other."""
    spots, found = {name: Spot.of(place) for name, place in places.items()}, []
    for one, other in combinations(places, 2):
        names = f"{one} ({places[one]}) and {other} ({places[other]})"
        inner, outer = spots[one].within(spots[other]), spots[other].within(spots[one])
        if inner and outer:
            found.append(f"{names} are the same place; {REMEDY}")
        elif inner or outer:
            found.append(f"{names} lie inside one another; {REMEDY}")
    return found


def table_problems(groups: Mapping[str, Tables]) -> list[str]:
    """Every two tables of different groups of which one is, or lies in, the other."""
    found = []
    for (one, first), (other, second) in combinations(groups.items(), 2):
        pairs = {*_inside(first, second), *((a, b) for b, a in _inside(second, first))}
        for a, b in sorted(pairs):
            tables = f"table {a} of the {one} ({first[a].sql}) and table {b} of the {other} ({second[b].sql})"
            found.append(f"{tables} are one, or one lies in the other; {REMEDY}")
    return found


def check_apart(spark: SparkSession, groups: Mapping[str, Tables]) -> None:
    """Refuse groups of tables that are not apart. Spark is asked where tables lie if texts alone cannot tell.

    Args:
        spark: the session.
        groups: {what it is for: {table: where it lies}}.

    Raises:
        ConfigError: with every pair of tables that are one.
    """
    at = _located(spark, {(g, t): ref for g, tables in groups.items() for t, ref in tables.items()})
    groups = {g: {t: at[g, t] for t in tables} for g, tables in groups.items()}
    problems = table_problems(groups)
    if problems:
        raise ConfigError("\n  - ".join(["tables of different places are not apart:", *problems]))


def check_room(place: Location, cells: int) -> None:
    """Refuse to begin where a folder of this machine cannot hold what is about to be written.

    Args:
        place: the target; of other stores nobody says how much they hold.
        cells: values that will be written there.

    Raises:
        WriteError: there is room for fewer than the least that they take.
    """
    if place.path is None or Address.parse(place.path).scheme:
        return
    folder = Path(Address.parse(place.path).path)
    free = shutil.disk_usage(next(p for p in (folder, *folder.parents) if p.exists())).free
    if free < cells * LEAST_BYTES:
        needed = cells * LEAST_BYTES
        raise WriteError(
            f"{place} has room for {free / 2**20:,.0f} MiB, and {cells:,} values take at least "
            f"{needed / 2**20:,.0f} MiB; make room, name another target, or lower generate.scale"
        )


def folder_of(spark: SparkSession, ref: TableRef) -> str | None:
    """The folder of a table that exists, as Spark has it: with its scheme, and no character of it encoded."""
    with failing_as(f"{ref.sql} cannot be opened", SourceDataError):
        try:
            return str(spark.sql(f"DESCRIBE DETAIL {ref.sql}").collect()[0]["location"])
        except AnalysisException:
            return None  # no such table, or a view


def _inside(first: Tables, second: Tables) -> Iterable[tuple[str, str]]:
    """Tables of the first group that are, or lie in, one of the second."""
    owners = {key: name for name, ref in second.items() for key in Spot.of(ref).own}
    for name, ref in first.items():
        yield from ((name, owners[key]) for key in Spot.of(ref).held if key in owners)


def _located(spark: SparkSession, refs: Mapping[tuple[str, str], TableRef]) -> dict[tuple[str, str], TableRef]:
    """Tables with the folders they lie in: those of names, and all of them where a text may leave its store unsaid."""
    at = {str(i): ref for i, ref in enumerate(refs.values())}

    def ask(keys: Iterable[str]) -> None:
        found = side_by_side(lambda key: folder_of(spark, at[key]), keys)
        at.update({key: TableRef(at[key].sql, folder) for key, folder in found.items() if folder is not None})

    ask([key for key, ref in at.items() if ref.path is None])
    if len({Address.parse(ref.path).scheme for ref in at.values() if ref.path is not None}) > 1:
        ask([key for key, ref in at.items() if ref.sql.startswith("delta.")])
    return dict(zip(refs, at.values(), strict=True))
