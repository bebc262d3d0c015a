"""Generates the databases of many seeds in one lake, and says of each: valid, refused before any work, or a failure."""

from __future__ import annotations

import io
import json
import re
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import structlog
from pyspark.sql import SparkSession

from synthohive_spark import logs
from synthohive_spark.errors import ConfigError, SchemaValidationError, SourceDataError
from synthohive_spark.lake.causes import first_line
from synthohive_spark.metadata import Metadata
from synthohive_spark.profiling.key_design import unsupported
from synthohive_spark.tables import Table
from tests.lakes import fitted
from tests.schemas.delta_files import Columns, read_delta, write_delta
from tests.schemas.generator import Database, Key, Shape, metadata
from tests.schemas.rows import database

UNIQUE = "unique" in Table.model_fields  # whether keys beside the primary one can be declared
SHARE, FEW = 0.1, 3  # rows, and nulls of a key, may be off by this share or by so many
REFUSALS = (SchemaValidationError, SourceDataError, ConfigError)


@dataclass
class Verdict:
    """What became of each seed.

    Attributes:
        refused: {seed: reasons}, before any work.
        failed: {seed: what was seen}.
    """

    valid: list[int] = field(default_factory=list)
    refused: dict[int, list[str]] = field(default_factory=dict)
    failed: dict[int, list[str]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Databases."""
        return len(self.valid) + len(self.refused) + len(self.failed)

    def text(self) -> str:
        """Shares, reasons and failures, for people; each failure with its metadata."""
        valid, refused, failed = len(self.valid), len(self.refused), len(self.failed)
        lines = [f"{self.count} databases: {valid} valid, {refused} refused, {failed} failed"]
        lines += [f"refused {s}: {'; '.join(reasons)}" for s, reasons in self.refused.items()]
        for seed, seen in self.failed.items():
            lines += [f"FAILED {seed}: {'; '.join(seen)}", f"    {json.dumps(metadata(database(seed), UNIQUE))}"]
        return "\n".join(lines)


def hunt(spark: SparkSession, folder: Path, seeds: Iterable[int]) -> Verdict:
    """Generate the databases of these seeds at scale 1.

    What is refused is left out; so is what fails, and the others are tried again. An error that names no table of a
    seed is looked for in halves.
    """
    verdict = Verdict()
    known = {seed: database(seed, f"s{seed}_") for seed in seeds}
    for seed, db in known.items():
        if reasons := refusal(db):
            verdict.refused[seed] = reasons
        for name, shape in db.items():
            write_delta(folder / "source" / name, source(shape))
    _try(spark, folder, {s: db for s, db in known.items() if s not in verdict.refused}, verdict)
    return verdict


def refusal(tables: Database) -> list[str]:
    """Why the metadata is refused, from it and the numbers of rows alone."""
    declared = Metadata.load(metadata(tables, UNIQUE))
    try:
        declared.validate_schema()
    except SchemaValidationError as e:
        return e.problems
    rows = {name: len(shape.rows) for name, shape in tables.items()}
    return [p for name in declared.tables if rows[name] for p in unsupported(name, declared.tables, rows)]


def _try(spark: SparkSession, folder: Path, known: Mapping[int, Database], verdict: Verdict) -> None:
    """Fit and generate in one lake; whoever breaks it is left out, and the rest tried again."""
    if not known:
        return
    tables = {name: shape for db in known.values() for name, shape in db.items()}
    paths = {t: str(folder / "source" / t) for t in tables}
    try:
        made = fitted(spark, Metadata.load(metadata(tables, UNIQUE)), paths)
    except Exception as e:
        _without(spark, folder, known, verdict, e)
        return
    left = dict(known)
    while left:
        target = folder / f"target{len(list(folder.glob('target*')))}"
        made.metadata = Metadata.load(metadata({n: s for db in left.values() for n, s in db.items()}, UNIQUE))
        assert made.trained is not None
        made.trained = replace(made.trained, plans={t: made.trained.plans[t] for t in made.metadata.tables})
        stream = io.StringIO()
        logs.configure("WARNING", stream)
        try:
            made.generate({}, str(target))
        except Exception as e:
            guilty = _named(e, left) or ([*left] if len(left) == 1 else [])
            verdict.failed.update({s: [_cause(e)] for s in guilty})
            if not guilty:
                _halves(spark, folder, left, verdict)
                return
            left = {s: db for s, db in left.items() if s not in guilty}
            continue
        finally:
            structlog.reset_defaults()
        said = _said(stream.getvalue())
        for seed, db in left.items():
            if seen := faults(db, {t: read_delta(target / t) for t in db}, said):
                verdict.failed[seed] = seen
            else:
                verdict.valid.append(seed)
        return


def _without(
    spark: SparkSession, folder: Path, known: Mapping[int, Database], verdict: Verdict, error: Exception
) -> None:
    """Blame the seeds that an error of fitting names, and try the others again."""
    guilty = _named(error, known) or ([*known] if len(known) == 1 else [])
    refused = isinstance(error, REFUSALS)
    for seed in guilty:
        lines = [line for line in str(error).splitlines() if f"s{seed}_" in line] or [_cause(error)]
        (verdict.refused if refused else verdict.failed)[seed] = lines if refused else [_cause(error)]
    if guilty:
        _try(spark, folder, {s: db for s, db in known.items() if s not in guilty}, verdict)
    else:
        _halves(spark, folder, known, verdict)


def _halves(spark: SparkSession, folder: Path, known: Mapping[int, Database], verdict: Verdict) -> None:
    seeds = list(known)
    for half in (seeds[: len(seeds) // 2], seeds[len(seeds) // 2 :]):
        _try(spark, folder, {s: known[s] for s in half}, verdict)


def _named(error: BaseException, known: Iterable[int]) -> list[int]:
    """Seeds whose tables an error, or what caused it, names."""
    found = {int(n) for text in _chain(error) for n in re.findall(r"\bs(\d+)_t\d", text)}
    return [s for s in known if s in found]


def _cause(error: Exception) -> str:
    """What was raised, and the line of the package that raised it, on the driver or in a worker."""
    text = "\n".join(_chain(error))
    places = re.findall(r'synthohive_spark/([\w/]+\.py)", line (\d+)', text)
    raised = [line for line in text.splitlines() if re.match(r"\s*(?!Py|org)[\w.]*(Error|InvalidOperation)\b", line)]
    own = [f for f in traceback.extract_tb(error.__traceback__) if "synthohive_spark" in f.filename]
    place = ":".join(places[-1]) if places else f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else "?"
    return f"{type(error).__name__} at {place}: {(raised[-1] if raised else first_line(error)).strip()[:300]}"


def _chain(error: BaseException | None) -> list[str]:
    """The messages of an error and of what caused it; Spark's hold the traceback of the worker."""
    return [] if error is None else [str(error), *_chain(error.__cause__)]


def _said(text: str) -> set[str]:
    """Tables of which a warning said that they have other rows than wanted."""
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return {str(line.get("table")) for line in lines if line.get("event") == "rows_left_out"}


def source(shape: Shape) -> Columns:
    """A table as it is written into the source lake."""
    return {c: (column.type, column.required, shape.values(c)) for c, column in shape.columns.items()}


def faults(tables: Database, made: Mapping[str, Columns], said: set[str], scale: float = 1.0) -> list[str]:
    """Everything that is wrong with a copy: an oracle in plain Python.

    Args:
        tables: the source.
        made: the copy's tables.
        said: tables of which a warning said that rows are left out.
        scale: rows wanted for one of the source.
    """
    found: list[str] = []
    for name, shape in tables.items():
        copy = made[name]
        real = source(shape)
        if (faces := {c: v[:2] for c, v in copy.items()}) != {c: v[:2] for c, v in real.items()}:
            found.append(f"{name}: columns are {faces}")
            continue
        rows, wanted = len(next(iter(copy.values()))[2]), round(scale * len(shape.rows))
        if wanted and not rows:
            found.append(f"{name}: no row of {wanted}")
            continue
        if abs(rows - wanted) > max(SHARE * wanted, FEW) and name not in said:
            found.append(f"{name}: {rows} rows, not {wanted}")
        found += [f"{name}.{c}: null in spite of NOT NULL" for c, (_, must, v) in copy.items() if must and None in v]
        found += [f"{name}: {line}" for line in _repeats(tables, shape, copy)]
        found += [f"{name}: {line}" for line in _orphans(shape, copy, made)]
        for c in {c for r in shape.references for c in r.columns}:
            share, nulls = real[c][2].count(None) / max(len(shape.rows), 1), copy[c][2].count(None)
            if abs(nulls - share * rows) > max(SHARE * rows, FEW):
                found.append(f"{name}.{c}: {nulls} nulls of {rows} rows, {share:.0%} in the source")
    return found


def _repeats(tables: Database, shape: Shape, copy: Columns) -> list[str]:
    """Keys with repeated values; primary keys and referenced ones with nulls."""
    referenced = {tuple(sorted(r.referenced)) for t in tables.values() for r in t.references if r.table == shape.name}
    strict = {tuple(sorted(k)) for k in (shape.primary,) if k} | referenced
    weak = {tuple(sorted(k)) for k in shape.unique if UNIQUE} - strict
    found = []
    for key in sorted(strict | weak):
        rows = _tuples(copy, key)
        whole = [r for r in rows if None not in r]
        if key in strict and len(whole) < len(rows):
            found.append(f"key ({', '.join(key)}) is null in {len(rows) - len(whole)} of {len(rows)} rows")
        if len(set(whole)) < len(whole):
            found.append(f"key ({', '.join(key)}) repeats in {len(whole) - len(set(whole))} of {len(rows)} rows")
    return found


def _orphans(shape: Shape, copy: Columns, made: Mapping[str, Columns]) -> list[str]:
    """Foreign keys, MATCH SIMPLE: rows without a parent, and nulls where none may be."""
    found = []
    for r in shape.references:
        rows, known = _tuples(copy, r.columns), set(_tuples(made[r.table], r.referenced))
        lost = sum(None not in row and row not in known for row in rows)
        if lost:
            found.append(f"foreign key ({', '.join(r.columns)}): {lost} orphans in {len(rows)} rows")
        if not r.nullable and any(None in row for row in rows):
            found.append(f"foreign key ({', '.join(r.columns)}): null, but is not nullable")
    return found


def _tuples(columns: Columns, names: Sequence[str] | Key) -> list[tuple[Any, ...]]:
    return list(zip(*(columns[n][2] for n in names), strict=True))
