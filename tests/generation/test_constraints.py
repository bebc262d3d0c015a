"""Declared expressions between columns: held by drawing again, or refused with the counts."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession

from synthohive_spark import cli
from synthohive_spark.errors import ConstraintViolationError
from synthohive_spark.generation import constraints as redraw
from synthohive_spark.generation.constraints import PLACE, ROW, choice, hidden, violation
from synthohive_spark.generation.gathering import gathered
from synthohive_spark.metadata import Metadata
from synthohive_spark.orchestrator import StagedOrchestrator
from synthohive_spark.privacy.rare_rows import RareRows, filter_text
from synthohive_spark.schema.row_hashes import hash_rows
from synthohive_spark.session import settings
from tests.lakes import children, config_file, content, fitted, key_faults, run_job, write_lake

spark_only = pytest.mark.spark
RNG = np.random.default_rng(5)
DAY = dt.date(2024, 1, 1)
SITES, STAYS = 20, 240
STAY_LAWS = [
    "start_day <= end_day",
    "checked_in >= timestamp'2024-01-01' and cost < 400",
    "`paid` <= total",  # total is derived
    "site_id < 1000000",  # of a key
]
TABLES: dict[str, Any] = {
    "sites": {"primary_key": "site_id"},
    "stays": {
        "primary_key": ["site_id", "night"],
        "foreign_keys": [{"columns": ["site_id"], "references": "sites", "referenced_columns": ["site_id"]}],
        "derived": {"total": "cost * (nights + 1)"},
        "constraints": [*({"expression": law} for law in STAY_LAWS), {"column": "nights", "min": 2, "max": 5}],
    },
}


def planted() -> dict[str, Any]:
    """Stays of up to 30 days: of a start and an end that are drawn independently, a third are the wrong way round."""
    sites = [(i, dt.datetime(2023, 1, 1) + dt.timedelta(days=i), f"S{i % 3}") for i in range(SITES)]
    stays = []
    for n in range(STAYS):
        start = int(RNG.integers(0, 90))
        cost, nights = Decimal(int(RNG.integers(100, 900))) / 2, int(RNG.integers(1, 7))
        end = start + int(RNG.integers(0, 30))
        row = (n % SITES, n // SITES, DAY + dt.timedelta(start), DAY + dt.timedelta(end))
        late = dt.datetime(2023, 12, 31, 12) + dt.timedelta(hours=int(RNG.integers(0, 200)))
        big = 2**60 + n // 2 if n % 4 else None  # not unique: it would be counted anew
        stays.append((*row, cost, nights, cost * (nights + 1), cost if n % 5 else None, late, big))
    columns = "start_day date, end_day date, cost decimal(8,2), nights int, total decimal(10,2), paid decimal(8,2)"
    return {
        "sites": ("site_id bigint not null, opened timestamp, kind string", sites),
        "stays": (f"site_id bigint not null, night int not null, {columns}, checked_in timestamp, big bigint", stays),
    }


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("laws")
    source = write_lake(spark, folder / "source", planted())
    metadata = Metadata.load({"tables": TABLES})
    made = fitted(spark, metadata, source)
    with settings(spark, {"spark.sql.shuffle.partitions": "1"}):
        made.generate({}, str(folder / "one"))
    return {"made": made, "metadata": metadata, "folder": folder, "real": made.io.read_dataset(source["stays"])}


def frames(lake: dict[str, Any], name: str) -> dict[str, DataFrame]:
    return {t: lake["made"].io.read_dataset(str(lake["folder"] / name / t)) for t in TABLES}


@spark_only
def test_expressions_hold_on_every_row_and_keys_and_counts_stay(lake: dict[str, Any]) -> None:
    made, real = frames(lake, "one"), lake["real"]
    stays = made["stays"]
    pairs = real.select("start_day").crossJoin(real.select("end_day"))
    assert pairs.where("end_day < start_day").count() > 0.33 * STAYS**2, "independent draws break the law"
    for law in (*STAY_LAWS, "total <=> cost * (nights + 1)", "nights between 2 and 5"):
        broken = stays.where(f"not coalesce({law}, true)").count()
        assert broken == 0, law
    assert stays.schema == real.schema
    assert key_faults(lake["metadata"], made) == []
    assert stays.count() == STAYS
    assert children(stays, ["site_id"], SITES) == children(real, ["site_id"], SITES)
    known = {r["big"] for r in real.select("big").collect()}
    assert {r["big"] for r in stays.select("big").distinct().collect()} <= known, "large integers stay exact"
    assert stays.select("start_day").distinct().count() > 40
    assert stays.where("paid is null").count() > 20


@spark_only
@pytest.mark.usefixtures("as_large")
def test_partitions_batches_and_the_number_of_workers_change_no_row(lake: dict[str, Any], spark: SparkSession) -> None:
    other = {
        "spark.sql.shuffle.partitions": "7",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "50",
    }
    with settings(spark, other):
        lake["made"].generate({}, str(lake["folder"] / "seven"))
    one, seven = frames(lake, "one"), frames(lake, "seven")
    assert {t: content(f) for t, f in seven.items()} == {t: content(f) for t, f in one.items()}


@spark_only
def test_an_impossible_expression_is_refused_with_the_counts(lake: dict[str, Any], spark: SparkSession) -> None:
    trained = lake["made"].trained
    laws = TABLES["stays"]["constraints"]
    wrong = Metadata.load(
        {"tables": {"stays": {"constraints": [*laws, {"expression": "end_day < date'2024-02-01'\n  and cost < 0"}]}}}
    )
    columns = trained.plans["stays"].columns.model_copy(update={"bounds": wrong.tables["stays"].constraints})
    plan = trained.plans["stays"].model_copy(update={"columns": columns})
    made = StagedOrchestrator(lake["metadata"], spark, None, "retry", lake["made"].model_cls)
    made.trained = type(trained)({**trained.plans, "stays": plan}, trained.artifacts, trained.copies)
    said = (
        r"^stays: (\d+) of the \1 rows of one batch have no lawful values in 65 draws; "
        r"broken: .*end_day < date'2024-02-01' and cost < 0 \(\1 rows\)"
    )
    place = lake["folder"] / "wrong"
    with pytest.raises(ConstraintViolationError, match=said):
        made.generate({}, str(place))
    assert made.io.read_dataset(str(place / "sites")).count() == SITES
    assert made.io.read_dataset(str(place / "stays")).count() == 0, "nothing half-written"
    with pytest.raises(ConstraintViolationError, match=said):
        made.generate({})


@pytest.mark.slow
@spark_only
def test_a_job_ends_with_the_code_of_generation(spark: SparkSession, tmp_path: Path) -> None:
    write_lake(spark, tmp_path / "source", {"t": ("id bigint not null, a int", [(i, i % 7) for i in range(50)])})
    impossible = {"t": {"primary_key": "id", "constraints": [{"expression": "a > 100"}]}}
    done = run_job(cli.pipeline, "--config", config_file(tmp_path, impossible))
    assert done.code == 5
    assert (
        "t: 50 of the 50 rows of one batch have no lawful values in 65 draws; broken: a > 100 (50 rows)"
        in (done.line["error"])
    )
    assert "Traceback" not in done.err


def batch(block: list[int], row: list[int], *marks: list[bool]) -> pa.RecordBatch:
    columns = {hidden("block"): block, hidden("slice"): [0] * len(block), ROW: row}
    return pa.RecordBatch.from_pydict({**columns, **{hidden(f"law {i}"): m for i, m in enumerate(marks)}})


def test_the_first_lawful_candidate_of_each_row_is_kept() -> None:
    unit = pa.Table.from_batches(
        [
            batch(
                [1] * 6,
                [0, 1, 1, 1, 2, 2],
                [True, True, True, True, True, False],
                [True, False, True, True, False, True],
            )
        ]
    )
    chosen, without = choice(unit, 2, RareRows())
    assert chosen.tolist() == [0, 2]
    assert without.tolist() == [4]


def test_a_candidate_that_is_no_row_of_the_source_comes_first() -> None:
    unit = pa.Table.from_batches([batch([1] * 5, [0, 0, 0, 1, 1], [True, True, False, True, False])])
    unit = unit.append_column("a", pa.array([7, 8, 9, 7, 9]))
    sevens = RareRows(columns=("a",), salt=1, bits=filter_text(hash_rows([pa.array([7])], 1)))
    chosen, without = choice(unit, 1, sevens)
    assert chosen.tolist() == [1, 3], "a lawful copy is better than an unlawful row"
    assert without.tolist() == []


def test_units_are_put_together_across_batches() -> None:
    parts = [batch([1, 1], [0, 1]), batch([1, 2], [2, 0]), batch([], []), batch([2], [1])]
    assert [u[ROW].to_pylist() for u in gathered(parts, PLACE)] == [[0, 1, 2], [0, 1]]


def test_a_violation_is_found_in_its_cause_and_other_errors_are_none() -> None:
    cut = RuntimeError(f"could not be written: {redraw.MARK}t: 3 of")
    cut.__cause__ = ValueError(f"[USER_RAISED_EXCEPTION] {redraw.MARK}t: 3 of the 5 rows SQLSTATE: P0001\n\tat org")
    assert violation(cut) == "t: 3 of the 5 rows"
    assert violation(ValueError("the disk is full")) is None
