"""Metadata drafted from a lake: keys proposed from what tables declare, from their data and from their names.

A proposal needs the data: a primary key is unique and non-null, a foreign key's values lie in its parent's primary
key. Data alone says too much (every column of 1 to 5 lies in every id), so names choose among what the data allows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import yaml
from pyarrow import fs
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

from synthohive_spark.config import Config
from synthohive_spark.draft import counts, names
from synthohive_spark.draft import foreign_keys as foreign
from synthohive_spark.draft import primary_keys as primary
from synthohive_spark.draft.counts import TableProfile
from synthohive_spark.draft.file import DraftedKey, DraftedPersonal, DraftedTable, draft_text, listed, rows
from synthohive_spark.errors import ConfigError, SchemaValidationError, SourceDataError
from synthohive_spark.ingest.tables import find_files, ingest, read_table
from synthohive_spark.lake.folders import file_system
from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.location import Location
from synthohive_spark.logs import bind, get_logger
from synthohive_spark.metadata import Metadata
from synthohive_spark.nested import flat
from synthohive_spark.personal import STRONG
from synthohive_spark.session import settings
from synthohive_spark.tables import TEXT, Table, is_carried

log = get_logger(__name__)

SHOWN = 4  # further unique columns that the draft names: a person reads it
"""Alternatives to a primary key that the file shows."""
FEW_ROWS, FEW_COLUMNS, CHILDREN = 100, 4, 5  # of a table of words; the rows that refer to each of its rows
# Numbers may be secret where words are not, so that a table that has some (a price list) must look more like a list of
# codes: fewer rows, each with a name of its own, and more rows that refer to them. So must a list of periods, of which
# each has a first and a last day, one of them its own.
NUMBERS = ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal", "boolean")
DAYS = ("date", "timestamp")
LISTED_ROWS, LISTED_COLUMNS, LISTED_CHILDREN = 50, 8, 20


def draft(spark: SparkSession, config: Config, out: str, folder: str | None = None) -> dict[str, int]:
    """Write a draft of the metadata of the source lake to a file; with ``folder``, ingest its files first.

    Args:
        spark: the session.
        config: its source says where the lake is. If its metadata has tables, the draft is of these alone, and CSV
            files are read with their types; its keys are not looked at.
        out: the file; it must not exist, because it may hold what a person edited.
        folder: as for ``ingest``; CSV columns without a declared type get the narrowest one that fits.

    Returns:
        The rows of each table.

    Raises:
        ConfigError: the file exists or cannot be written.
        SourceDataError: there is no table.
    """
    check_out(out)
    with settings(spark):
        if folder is not None:
            metadata = _file_types(spark, config.metadata, folder)
            config = config.model_copy(update={"metadata": metadata})
            ingest(spark, config, folder)
        bind(phase="draft")
        profiles = _profiles(spark, config)
        drafted = propose(profiles)
    text = draft_text(drafted, str(config.source.location))
    try:
        Metadata.load(yaml.safe_load(text)).validate_schema()
    except SchemaValidationError as e:
        log.warning("draft_needs_mending", problems=e.problems)
        text = draft_text(drafted, str(config.source.location), e.problems)
    Path(out).write_text(text, encoding="utf-8")
    log.info("metadata_drafted", file=out, tables=len(drafted))
    return {name: table.rows for name, table in profiles.items()}


def check_out(out: str) -> None:
    """Refuse a file that exists or whose folder does not.

    Raises:
        ConfigError: with the way out.
    """
    if Path(out).exists():
        raise ConfigError(f"--draft-metadata {out}: the file exists and may have been edited; name another one")
    if not Path(out).absolute().parent.is_dir():
        raise ConfigError(f"--draft-metadata {out}: its folder does not exist; make it first")


def tables_of(spark: SparkSession, place: Location) -> list[str]:
    """The Delta tables of a place: folders with a transaction log, or tables of a schema."""
    if place.path is None:
        shown = spark.sql(f"SHOW TABLES IN {place.sql}").collect()
        return sorted(r["tableName"] for r in shown if not r["isTemporary"])
    system, root = file_system(place.path)
    found = system.get_file_info(fs.FileSelector(root, allow_not_found=True))
    folders = [f.base_name for f in found if f.type == fs.FileType.Directory]
    deltas = system.get_file_info([f"{root}/{name}/_delta_log" for name in folders])
    return sorted(n for n, x in zip(folders, deltas, strict=True) if x.type == fs.FileType.Directory)


def propose(profiles: Mapping[str, TableProfile]) -> dict[str, DraftedTable]:
    """Proposals for every table, from profiles of all of them."""
    singles = {name: primary.unique_columns(table) for name, table in profiles.items()}
    first = {name: primary.single(profiles, name, singles[name]) for name in profiles}
    parents = {n: p.columns[0] for n, p in first.items() if p is not None and len(p.columns) == 1}
    candidates = {
        name: foreign.key_candidates(table, profiles, parents, singles[name]) for name, table in profiles.items()
    }
    chosen: dict[str, primary.Primary | None] = {}
    others: dict[str, tuple[str, ...]] = {}
    for name, table in profiles.items():
        key, composed = primary.settle(table, first[name], singles[name], candidates[name])
        chosen[name] = key
        unique = [*((c,) for c in singles[name]), *composed]
        others[name] = tuple(f"{listed(c)} is unique too" for c in unique if key is None or c != key.columns)[:SHOWN]
    keys = {name: key.columns if key is not None else () for name, key in chosen.items()}
    drafted = {}
    for name, table in profiles.items():
        usable = [c for c in candidates[name] if keys[c.parent] == (c.referenced,)]
        found = [*foreign.chosen(table, usable), *foreign.composites(table, profiles, keys)]
        drafted[name] = _drafted(table, chosen[name], found, usable, others[name])
    return with_references(with_personal_keys(drafted))


def _drafted(
    table: TableProfile,
    key: primary.Primary | None,
    found: Sequence[DraftedKey],
    candidates: Sequence[foreign.KeyCandidate],
    others: tuple[str, ...],
) -> DraftedTable:
    """The proposals of one table with what a person may want to know beside them."""
    taken = {c for k in found for c in k.columns} | set(key.columns if key else ())
    notes = []
    for column in table.columns:
        seen = [f"{c.parent}.{c.referenced}" for c in candidates if c.column == column and not c.found.orphans]
        if column not in taken and names.is_reference(column) and seen:
            notes.append(f"{listed([column])} looks like a reference; no name tells which: {', '.join(seen[:5])}")
    for columns, parent, there in table.declared.foreign_keys:
        if not any(k.columns == columns and k.references == parent for k in found):
            notes.append(f"declared on the table, not found in the data: {listed(columns)} to {parent}{listed(there)}")
    found_ones = {c: m for c, m in table.meanings.items() if m.personal and (c not in taken or m.kind in STRONG)}
    pii = {c: DraftedPersonal(m.kind, m.evidence) for c, m in found_ones.items()}
    return DraftedTable(
        rows=table.rows,
        primary_key=key.columns if key else (),
        evidence=key.evidence if key else "no columns found that are unique and non-null",
        foreign_keys=tuple(_with_policy(k, found, key) for k in found),
        columns={c: (p.type, "declared NOT NULL" if p.required else "") for c, p in table.columns.items()},
        alternatives=others,
        notes=tuple(notes),
        checks=table.declared.checks,
        pii=pii,
        exclude=tuple(c for c, p in table.columns.items() if not is_carried(p.type)),
    )


def with_personal_keys(drafted: Mapping[str, DraftedTable]) -> dict[str, DraftedTable]:
    """The tables, with all columns that hold the values of a personal key, whichever table names it."""
    pii = {name: dict(table.pii) for name, table in drafted.items()}
    pairs = [
        ((name, c), (key.references, r))
        for name, table in drafted.items()
        for key in table.foreign_keys
        for c, r in zip(key.columns, key.referenced_columns, strict=True)
    ]
    while more := [(a, b) for a, b in pairs if (a[1] in pii[a[0]]) != (b[1] in pii[b[0]])]:
        for a, b in more:
            (known, column), (table, own) = (a, b) if a[1] in pii[a[0]] else (b, a)
            evidence = f"holds the values of {known}.{column}, which are personal"
            pii[table].setdefault(own, DraftedPersonal(pii[known][column].kind, evidence))
    return {name: replace(table, pii=pii[name]) for name, table in drafted.items()}


def with_references(drafted: Mapping[str, DraftedTable]) -> dict[str, DraftedTable]:
    """The tables, with those proposed to be copied that only say what codes mean: few rows for many of others."""
    made = {}
    for name, table in drafted.items():
        children = [drafted[n].rows for n, t in drafted.items() for k in t.foreign_keys if k.references == name]
        most, what = max(children, default=0), _words_of(table)
        if what and most >= (CHILDREN if what == "words" else LISTED_CHILDREN) * table.rows:
            reason = f"{rows(table.rows)} of {what}, none personal, for {rows(most)} that refer to it"
            made[name] = replace(table, reference=reason)
    return {**drafted, **made}


def _words_of(table: DraftedTable) -> str:
    """What the rows of a table of codes consist of; empty if it is none."""
    if not table.rows or table.pii or table.foreign_keys or not table.primary_key:
        return ""
    kinds = {c: kind for c, (kind, _) in table.columns.items() if c not in table.primary_key}
    words = [c for c, kind in kinds.items() if kind.startswith(TEXT)]
    if words and len(words) == len(kinds) and table.rows <= FEW_ROWS and len(table.columns) <= FEW_COLUMNS:
        return "words"
    days = [c for c, kind in kinds.items() if kind.startswith(DAYS)]
    known = all(kind.startswith((*NUMBERS, *TEXT)) for c, kind in kinds.items() if c not in days)
    named = any(text.startswith(listed([c])) for c in days or words for text in table.alternatives)
    small = table.rows <= LISTED_ROWS and len(table.columns) <= LISTED_COLUMNS
    if not (named and known and small and len(days) != 1):
        return ""
    return "periods" if days else "words and numbers"


def _with_policy(key: DraftedKey, found: Sequence[DraftedKey], own: primary.Primary | None) -> DraftedKey:
    """Orphans become null where the key has nulls and is no part of another; else their rows are dropped."""
    others = {c for k in found if k is not key for c in k.columns} | set(own.columns if own else ())
    return replace(key, policy="null" if key.nulls and not others & set(key.columns) else "drop")


def _profiles(spark: SparkSession, config: Config) -> dict[str, TableProfile]:
    """Profiles of the lake's tables, or of those that the metadata names."""
    source, io = config.source, DeltaIO(spark)
    known, versions = {}, {}
    for name in list(config.metadata.tables) or tables_of(spark, source.location):
        ref = source.location.table(name)
        try:
            version = source.versions.get(name, io.version(ref, source.timestamp))
        except (AnalysisException, SourceDataError):
            version = None  # a view, or a table of another format
        if version is None:
            log.warning("not_a_delta_table", table=name)
            continue
        frame = flat(io.read_dataset(ref, version))
        known[name], versions[name] = (frame, counts.declared(spark, ref, frame.columns)), version
    if not known:
        raise SourceDataError(f"{source.location} holds no Delta table; ingest files with --from, or correct source")
    made = counts.table_profiles(known)
    for name, table in made.items():
        log.info("table_profiled", table=name, rows=table.rows, version=versions[name])
    return made


def _file_types(spark: SparkSession, metadata: Metadata, folder: str) -> Metadata:
    """The tables to ingest: those of the metadata, else all files; with types for CSV columns that have none."""
    found = find_files(spark, folder, list(metadata.tables) or None)
    tables = {}
    for name, files in found.items():
        spec = metadata.tables.get(name, Table())
        columns = dict(spec.columns)
        if files.format != ".parquet":
            columns = {**counts.text_types(read_table(spark, name, files, {})), **columns}
        tables[name] = spec.model_copy(update={"columns": columns})
    return Metadata(tables)
