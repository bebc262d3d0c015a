"""Nobody's data is lost: the source is never written to, and what another made is never removed."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from pyspark.sql import DataFrame, SparkSession

from synthohive_spark import Metadata, Synthesizer, cli
from synthohive_spark.errors import ConfigError, WriteError
from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.location import Location, TableRef, name_problem
from synthohive_spark.orchestrator import StagedOrchestrator
from synthohive_spark.stage_writer import Trained
from tests.lakes import config_file, content, fitted, run_job, write_lake
from tests.shuffle import ColumnShuffle

from .test_places import ODD

pytestmark = pytest.mark.spark
SPEC = {"users": {"primary_key": "id", "reference": True}}
USERS = ("id bigint not null, region string", [(i, "ns"[i % 2]) for i in range(5)])
NAMES = ODD.filter(lambda name: name_problem(name) is None)


class Failing(DeltaIO):
    """Loses the connection once the table of one name is written."""

    def __init__(self, spark: SparkSession, table: str) -> None:
        super().__init__(spark)
        self.table = table

    def write_dataset(self, frame: DataFrame, place: TableRef | str, **options: Any) -> tuple[int, int]:
        written = super().write_dataset(frame, place, **options)
        if str(place.path if isinstance(place, TableRef) else place).endswith(f"/{self.table}"):
            raise OSError("the connection was lost")
        return written


@pytest.fixture(scope="module")
def learnt(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Trained]:
    """The folder of a source of one table that is copied, and what was learnt of it."""
    folder = tmp_path_factory.mktemp("learnt") / "source"
    made = fitted(spark, Metadata.load({"tables": SPEC}), write_lake(spark, folder, {"users": USERS}))
    assert made.trained is not None
    return str(folder), made.trained


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def neighbours(name: str) -> set[str]:
    """Names that a reader of URLs, globs or trimmed texts would take this one for."""
    near = {name.partition("#")[0], name.partition("?")[0], unquote(name), name.strip(), name.rstrip("."), f"{name}2"}
    return {n for n in near if n != name and name_problem(n) is None}


@pytest.mark.parametrize(
    ("lake", "new", "old"),
    [("lake#1", "t#1", "t"), ("lake?v=1", "orders", "orders?v=1"), ("100%25 [a] {b}", "a%20b", "a b")],
)
def test_cleanup_leaves_the_neighbours(
    spark: SparkSession, learnt: tuple[str, Trained], lake: str, new: str, old: str
) -> None:
    cleaned(spark, learnt[1], lake, new, old)


@pytest.mark.slow
@settings(max_examples=20)
@given(NAMES, NAMES, NAMES)
def test_cleanup_leaves_the_neighbours_of_any_name(
    spark: SparkSession, learnt: tuple[str, Trained], lake: str, new: str, old: str
) -> None:
    cleaned(spark, learnt[1], lake, new, f"{old}0" if new.casefold() == old.casefold() else old)


def cleaned(spark: SparkSession, trained: Trained, lake: str, new: str, old: str) -> None:
    """A run fails at its end: a table that was there has its rows again, a new one is gone, all else is as it was."""
    plan = trained.plans["users"]
    root = Path(tempfile.mkdtemp())
    try:
        target = root / lake
        for near in neighbours(lake):
            for table in {new, old, "notes"}:
                (root / near / table).mkdir(parents=True)
                (root / near / table / "part.parquet").write_text(f"{near} {table}")
        for near in neighbours(new) | neighbours(old):
            if near not in (new, old):
                (target / near).mkdir(parents=True)
                (target / near / "notes.txt").write_text(near)
        io = Failing(spark, new)
        place = Location(path=str(target)).table(old)
        io.write_dataset(spark.range(3), place)
        before, rows = files(root), content(io.read_dataset(place))

        metadata = Metadata.load({"tables": dict.fromkeys((old, new), SPEC["users"])})
        made = StagedOrchestrator(metadata, spark, io, "cleanup", ColumnShuffle)
        plans = {t: plan.model_copy(update={"table": t}) for t in (old, new)}
        made.trained = Trained(plans, {}, lambda table: trained.copies("users"))
        with pytest.raises(WriteError, match="the connection was lost"):
            made.generate({}, str(target))

        after = files(root)
        inside = os.path.join(lake, old) + "/"
        assert {p: b for p, b in after.items() if not p.startswith(inside)} == {
            p: b for p, b in before.items() if not p.startswith(inside)
        }
        assert not (target / new).exists()
        assert content(DeltaIO(spark).read_dataset(place)) == rows
    finally:
        shutil.rmtree(root)


def test_what_another_made_is_not_dropped(spark: SparkSession, tmp_path: Path) -> None:
    place = str(tmp_path / "t")
    mine = DeltaIO(spark)
    DeltaIO(spark).write_dataset(spark.range(3), place)
    mine.write_dataset(spark.range(4), place)
    (tmp_path / "folder").mkdir()
    before = files(tmp_path)
    for other in (place, str(tmp_path / "folder"), str(tmp_path), "default.absent"):
        with pytest.raises(WriteError, match="was not created by this run, so it is not removed"):
            mine.drop(other)
    assert files(tmp_path) == before
    # made by this object, then replaced by somebody else's
    mine.write_dataset(spark.range(3), str(tmp_path / "u"))
    shutil.rmtree(tmp_path / "u")
    (tmp_path / "u").mkdir()
    (tmp_path / "u" / "notes.txt").write_text("keep")
    with pytest.raises(Exception, match="u"):
        mine.drop(str(tmp_path / "u"))
    assert (tmp_path / "u" / "notes.txt").read_text() == "keep"


def test_a_job_whose_target_is_the_source_ends_before_any_work(spark: SparkSession, tmp_path: Path) -> None:
    write_lake(spark, tmp_path / "source", {"users": USERS})
    (tmp_path / "link").symlink_to(tmp_path / "source")
    before = files(tmp_path / "source")
    for target in (tmp_path / "link", tmp_path / "source" / "users"):
        done = run_job(cli.pipeline, "--config", config_file(tmp_path, SPEC, target={"path": str(target)}))
        assert done.code == 2
        assert f"source ({tmp_path / 'source'}) and target ({target})" in done.line["error"]
        assert "Traceback" not in done.err
    assert files(tmp_path / "source") == before
    assert not (tmp_path / "workspace").exists()


def test_ingest_does_not_read_the_lake_that_it_writes(spark: SparkSession, tmp_path: Path) -> None:
    write_lake(spark, tmp_path / "source", {"users": USERS})
    before = files(tmp_path / "source")
    done = run_job(cli.ingest, "--config", config_file(tmp_path, SPEC), "--from", str(tmp_path / "source"))
    assert done.code == 2
    assert "table users of the folder to ingest" in done.line["error"]
    assert files(tmp_path / "source") == before


def test_python_calls_never_write_to_what_they_learnt(
    spark: SparkSession, learnt: tuple[str, Trained], tmp_path: Path
) -> None:
    source, trained = learnt
    before = files(Path(source))
    saved = Synthesizer(Metadata.load({"tables": SPEC}), spark, ColumnShuffle)
    saved._orchestrator.trained = trained
    saved.save(tmp_path / "saved")
    (tmp_path / "link").symlink_to(source)
    for target in (source, f"{source}/", str(tmp_path / "link"), f"{source}/users", f"file:{source}"):
        with pytest.raises(ConfigError, match=r"table users of the source .* and table users of the target"):
            saved.sample(output_path=target)
        with pytest.raises(ConfigError, match=r"table users of the source .* and table users of the target"):
            Synthesizer.load(tmp_path / "saved", spark, ColumnShuffle).sample(output_path=target)
    for rows in (0, -5):
        with pytest.raises(ConfigError, match="less than one row is wanted of users"):
            saved.sample(num_rows={"users": rows})
    with pytest.raises(ConfigError, match="scale=-1 is no multiple"):
        saved.sample(scale=-1)
    assert files(Path(source)) == before


def test_a_name_of_the_catalog_and_a_folder_may_be_one_table(
    spark: SparkSession, learnt: tuple[str, Trained], tmp_path: Path
) -> None:
    """Registered tables lie in folders; only Spark knows which. Quotes in a folder's name do not end the statement."""
    folder = tmp_path / "it's a \\ lake"
    write_lake(spark, folder, {"users": USERS})
    before = files(folder)
    made = Synthesizer(Metadata.load({"tables": SPEC}), spark, ColumnShuffle)
    made._orchestrator.trained = learnt[1]
    spark.sql("CREATE SCHEMA test_places")
    try:
        made.register_tables(str(folder), "test_places")
        assert spark.table("test_places.users").count() == 5
        catalog, path = {"path": None, "schema": "test_places"}, {"path": str(folder)}
        for source, target in ((catalog, path), (path, catalog)):
            done = run_job(cli.pipeline, "--config", config_file(tmp_path, SPEC, source=source, target=target))
            assert done.code == 2, done.err
            assert "table users of the source" in done.line["error"]
    finally:
        spark.sql("DROP SCHEMA test_places CASCADE")
    assert files(folder) == before
    assert not (tmp_path / "workspace").exists()
