"""CTGAN and the autoregressive model beside the package ctgan 0.12, one thread each, taking turns in one run.

make bench-models                                      # docs renewed; makes .venv-ctgan on the first run
.venv/bin/python benchmarks/bench_models.py --short    # a few epochs, to see that it works; prints the tables

All seconds are CPU seconds of the process that does the work, so that what others do on the machine counts little.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", LOKY_MAX_CPU_COUNT="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse
import datetime as dt
import json
import logging
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import structlog
import torch
from models.plot import plot
from models.tables import atoms, flights, flights_file

from synthohive_spark.models.autoregressive.model import AutoregressiveModel
from synthohive_spark.models.base import ConditionalGenerativeModel
from synthohive_spark.models.common.table_model import limits_of, table_spec
from synthohive_spark.models.ctgan import trainer as ctgan_trainer
from synthohive_spark.models.ctgan.model import CTGAN

ROOT = Path(__file__).parents[1]
HERE = ROOT / "benchmarks" / "models"
KINDS = ("ctgan", "CTGAN.classic", "CTGAN", "AutoregressiveModel")
BEGIN, END = "<!-- bench-models -->", "<!-- /bench-models -->"
ROWS, SEED, JUDGED = 20_000, 1, 5000


@dataclass
class Plan:
    """How long to train: epochs that take turns, seconds at which ctgan is judged, epochs of our fits."""

    turns: int
    marks: list[float]
    classic: list[int]
    ctgan: list[int]
    autoregressive: list[int]


PLANS = {
    "flights": Plan(4, [20, 30, 45, 60], [4, 16], [1, 2, 4, 8, 16], [1, 2, 4, 8, 16]),
    "atom": Plan(20, [2, 6, 15, 30, 60], [20, 100], [2, 5, 10, 20, 50], [2, 4, 8, 16, 32]),
}
SHORT = Plan(2, [2], [1], [1], [1])


@dataclass
class Measured:
    """What one table showed. Seconds of epochs alternate; curves hold (seconds of fit, c2st)."""

    name: str
    rows: int
    columns: int
    encode: dict[str, float] = field(default_factory=dict)
    widths: dict[str, int] = field(default_factory=dict)
    epochs: dict[str, list[float]] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    curves: dict[str, list[tuple[float, float]]] = field(default_factory=dict)


class Peer:
    """The other process, in its own venv."""

    def __init__(self, python: Path, table: Path, discrete: list[str]) -> None:
        words = [python, HERE / "peer.py", table, "--discrete", ",".join(discrete)]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.start = self._answer()

    def told(self, command: str) -> dict[str, Any]:
        """The answer to one command."""
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return self._answer()

    def stop(self) -> None:
        """End the process."""
        self._process.communicate("stop\n")

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"ctgan ended with {self._process.wait()}; its own message is above")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def hooked(steps: int, seconds: list[float], meanwhile: Callable[[], None]) -> Iterator[None]:
    """Notes the CPU clock before the first step and the seconds of each epoch; the other's turn comes after each.

    Looks at the association are reduced to the last one: there are fifteen in a training, however many epochs it has.
    """

    def bar(numbers: Iterable[int], **_: Any) -> Iterator[int]:
        begin = time.process_time()
        seconds.append(begin)
        for number in numbers:
            yield number
            if number % steps == 0:
                seconds.append(time.process_time() - begin)
                meanwhile()
                begin = time.process_time()

    before = ctgan_trainer.tqdm, ctgan_trainer.LOOKS
    ctgan_trainer.tqdm, ctgan_trainer.LOOKS = bar, 1
    try:
        yield
    finally:
        ctgan_trainer.tqdm, ctgan_trainer.LOOKS = before


def take_turns(found: Measured, table: pd.DataFrame, peer: Peer, turns: int) -> None:
    """Epochs at equal sizes: one of ours, one of theirs, and so on; encoding is what lies before the first step."""
    steps = -(-len(table) // 500)
    found.steps = {"ctgan": len(table) // 500, "CTGAN.classic": steps}
    found.widths = {"ctgan": peer.start["width"]}
    found.encode = {"ctgan": peer.start["encode"]}
    theirs: list[float] = []
    # min_count=1: no value is rare, as in ctgan, so that rows are as wide.
    classic = CTGAN.classic(epochs=turns, min_count=1, threads=1)
    for name, model in (("CTGAN", CTGAN(epochs=1, threads=1)), ("CTGAN.classic", classic)):
        ours: list[float] = []
        turn = (lambda: theirs.append(peer.told("epoch")["epoch"])) if name == "CTGAN.classic" else (lambda: None)
        with hooked(steps, ours, turn):
            begin = time.process_time()
            model.fit(table, seed=SEED)
        found.encode[name], found.widths[name] = ours[0] - begin, model.metrics["width"]
    found.epochs = {"ctgan": theirs, "CTGAN.classic": ours[1:]}


def run(name: str, table: pd.DataFrame, plan: Plan, python: Path, folder: Path) -> Measured:
    """All of one table."""
    found = Measured(name, len(table), table.shape[1])
    real = folder / f"{name}.parquet"
    table.to_parquet(real)
    for warm in (CTGAN(epochs=1, threads=1), CTGAN.classic(epochs=1, threads=1)):  # imports and caches
        warm.fit(table.head(1000), seed=SEED)
    columns = table_spec(table, limits_of(table, 1, 500)).columns
    peer = Peer(python, real, [column for column, spec in columns if not spec.has_scalar])
    take_turns(found, table, peer, plan.turns)
    judged = judged_peer(found, peer, plan.marks, folder)
    peer.stop()
    makers: dict[str, tuple[Callable[..., ConditionalGenerativeModel], list[int]]] = {
        "CTGAN.classic": (CTGAN.classic, plan.classic),
        "CTGAN": (CTGAN, plan.ctgan),
        "AutoregressiveModel": (AutoregressiveModel, plan.autoregressive),
    }
    for kind, (make, epochs) in makers.items():
        for count in epochs:
            model, file = make(epochs=count, threads=1), folder / f"{name}-{kind}-{count}.parquet"
            begin = time.process_time()
            model.fit(table, seed=SEED)
            spent = time.process_time() - begin
            begin = time.process_time()
            rows = model.sample(JUDGED * 4, seed=SEED)
            found.rates[kind] = JUDGED * 4 / (time.process_time() - begin)
            rows.sample(JUDGED, random_state=SEED).to_parquet(file)
            judged.append((kind, spent, file))
    words = [python, HERE / "score.py", real, *(file for _, _, file in judged)]
    scores = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout)
    for (kind, spent, _), score in zip(judged, scores, strict=True):
        found.curves.setdefault(kind, []).append((round(spent, 2), score))
    return found


def judged_peer(found: Measured, peer: Peer, marks: list[float], folder: Path) -> list[tuple[str, float, Path]]:
    """Trains the reference on to each mark and keeps rows of it."""
    spent, kept = peer.start["encode"] + sum(found.epochs["ctgan"]), []
    for mark in marks:
        while spent < mark:
            spent += peer.told("epoch")["epoch"]
        file = folder / f"{found.name}-ctgan-{mark}.parquet"
        found.rates["ctgan"] = JUDGED / peer.told(f"sample {JUDGED} {file}")["sample"]
        kept.append(("ctgan", spent, file))
    return kept


def reached(curve: list[tuple[float, float]], score: float) -> float | None:
    """The fewest seconds of a fit that scores as well."""
    return min((seconds for seconds, found in curve if found <= score), default=None)


def report(tables: list[Measured]) -> str:
    """As Markdown."""
    parts = []
    for found in tables:
        epoch = {kind: sum(seconds) / len(seconds) for kind, seconds in found.epochs.items()}
        last = min(score for _, score in found.curves["ctgan"])
        parts.append(
            f"**{found.name}**: {found.rows:,} rows, {found.columns} columns; places of a row: "
            f"{', '.join(f'{kind} {width}' for kind, width in found.widths.items())}.\n\n"
            "| | ctgan | CTGAN.classic | CTGAN | AutoregressiveModel |\n|---|---|---|---|---|\n"
        )
        ratio = epoch["ctgan"] / epoch["CTGAN.classic"]
        steps = {kind: 1000 * epoch[kind] / found.steps[kind] for kind in epoch}
        by_step = steps["ctgan"] / steps["CTGAN.classic"]
        encode = {kind: found.encode["ctgan"] / seconds for kind, seconds in found.encode.items()}
        parts.append(
            f"| seconds of an epoch | {epoch['ctgan']:.2f} | {epoch['CTGAN.classic']:.2f} (**{ratio:.1f}x**) | | |\n"
            f"| milliseconds of a step | {steps['ctgan']:.0f} | {steps['CTGAN.classic']:.0f} ({by_step:.1f}x) | | |\n"
            f"| seconds of encoding | {found.encode['ctgan']:.2f} | "
            + " | ".join(f"{found.encode[kind]:.2f} ({encode[kind]:.0f}x)" for kind in ("CTGAN.classic", "CTGAN"))
            + " | |\n| rows/s sampled | "
            + " | ".join(f"{found.rates[kind]:,.0f}" for kind in KINDS)
            + " |\n| c2st (seconds of fit) | "
            + " | ".join(", ".join(f"{y:.3f} ({x:.1f})" for x, y in found.curves[kind]) for kind in KINDS)
            + f" |\n| seconds to ctgan's best, {last:.3f} | "
            + " | ".join(_seconds(reached(found.curves[kind], last)) for kind in KINDS)
            + " |\n\n"
        )
    return "".join(parts)


def _seconds(value: float | None) -> str:
    return "not reached" if value is None else f"{value:.1f}"


def main() -> None:
    """Run both tables, print the figures, renew the documents if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, default=ROOT / ".venv-ctgan" / "bin" / "python", help="python with ctgan")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="where mutagenesis lies")
    parser.add_argument("--docs", type=Path, help="a folder whose models.md and models.svg are renewed")
    parser.add_argument("--short", action="store_true", help="a few epochs, to see that it works")
    arguments = parser.parse_args()
    if not arguments.peer.exists():
        print(f"skipped: no {arguments.peer}; make bench-models makes it")
        return
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    torch.set_num_threads(1)
    begin, tables = time.monotonic(), []
    with tempfile.TemporaryDirectory() as folder:
        some = flights(flights_file()).sample(ROWS, random_state=SEED).reset_index(drop=True)
        for name, table in (("flights", some), ("atom", atoms(arguments.data))):
            plan = SHORT if arguments.short else PLANS[name]
            tables.append(run(name, table, plan, arguments.peer, Path(folder)))
            print(report(tables[-1:]), flush=True)
    about = (
        f"{dt.date.today()}, {platform.machine()}, one thread, torch {torch.__version__}, "
        f"load {os.getloadavg()[0]:.1f} at the end, {time.monotonic() - begin:.0f} s in all. Seconds are CPU seconds."
    )
    if arguments.docs is not None:
        page = arguments.docs / "models.md"
        old = page.read_text() if page.exists() else f"{BEGIN}\n{END}\n"
        before, _, rest = old.partition(BEGIN)
        page.write_text(f"{before}{BEGIN}\n{about}\n\n{report(tables)}{END}{rest.partition(END)[2]}")
        (arguments.docs / "models.svg").write_text(plot({found.name: found.curves for found in tables}))


if __name__ == "__main__":
    main()
