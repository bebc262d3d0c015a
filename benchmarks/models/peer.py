"""The package ctgan, trained epoch by epoch as it is told on stdin; runs in .venv-ctgan, on one thread.

Commands, one a line, each answered by one JSON line: ``epoch`` trains one epoch, ``sample ROWS FILE`` writes rows as
parquet, ``stop`` ends the training. Seconds are CPU seconds of this process.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch
from ctgan.synthesizers import ctgan as reference


def answer(**values: Any) -> None:
    print(json.dumps(values), flush=True)


class Told:
    """Stands in for the progress bar that the reference loops over: waits for a command before each epoch."""

    def __init__(self, model: reference.CTGAN, begun: float) -> None:
        self.model, self.begun = model, begun

    def __call__(self, epochs: Iterable[int], **_: Any) -> Iterator[int]:
        width = int(self.model._transformer.output_dimensions)
        answer(encode=time.process_time() - self.begun, width=width)
        for epoch in epochs:
            if not self._obeyed():
                return
            begin = time.process_time()
            yield epoch
            answer(epoch=time.process_time() - begin)

    def _obeyed(self) -> bool:
        for line in sys.stdin:
            command, *values = line.split()
            if command != "sample":
                return command == "epoch"
            begin = time.process_time()
            rows = self.model.sample(int(values[0]))
            answer(sample=time.process_time() - begin)
            rows.to_parquet(values[1])
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table")
    parser.add_argument("--discrete", required=True, help="columns, separated by commas")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    torch.manual_seed(1)
    np.random.seed(1)
    table, discrete = pd.read_parquet(arguments.table), arguments.discrete.split(",")
    reference.CTGAN(enable_gpu=False, epochs=1).fit(table.head(1000), discrete)  # imports and caches, as on our side
    model = reference.CTGAN(enable_gpu=False, epochs=100_000)
    reference.tqdm = Told(model, time.process_time())
    model.fit(table, discrete)


if __name__ == "__main__":
    main()
