"""Models that the cluster tests can watch, slow down and kill from outside, through files in a folder they know."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from synthohive_spark.models.ctgan.model import CTGAN

from ..shuffle import ColumnShuffle

PAUSE = 2.0  # seconds that a call of sample lasts longer while the file "slow" is there


class Watched:
    """Beside a model class: ``sample`` and ``sample_table`` obey files in the folder given when the model was trained.

    ``slow`` there: each call leaves its process id in a file ``sampling-PID`` and waits before it goes on.
    ``kill`` there: the call that removes the file kills its own process, as the kernel does when memory is short.
    """

    def __init__(self, metadata: Any = None, folder: str = "", **options: Any) -> None:
        super().__init__(metadata, **options)
        self.folder = folder

    def sample(self, num_rows: int, context: Any = None, seed: int | None = None) -> pd.DataFrame:
        return self._watched(super().sample, num_rows, context, seed)  # type: ignore[misc]

    def sample_table(self, num_rows: int, context: Any = None, seed: int | None = None) -> pd.DataFrame:
        return self._watched(super().sample_table, num_rows, context, seed)  # type: ignore[misc]

    def _watched(self, draw: Callable[..., pd.DataFrame], *arguments: Any) -> pd.DataFrame:
        folder = Path(self.folder)
        if (folder / "slow").exists():
            (folder / f"sampling-{os.getpid()}").write_text(str(time.time()))
            time.sleep(PAUSE)
        made = draw(*arguments)
        try:
            (folder / "kill").rename(folder / f"killed-{os.getpid()}")  # of several workers, one can
        except FileNotFoundError:
            return made
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("unreachable")

    def save(self, path: str | Path) -> None:
        super().save(path)  # type: ignore[misc]
        Path(path, "folder.txt").write_text(self.folder)

    @classmethod
    def load(cls, path: str | Path) -> Any:
        model = super().load(path)  # type: ignore[misc]
        model.folder = Path(path, "folder.txt").read_text()
        return model


class WatchedCTGAN(Watched, CTGAN):
    """CTGAN, watched."""


class WatchedShuffle(Watched, ColumnShuffle):
    """The trivial model, watched."""


class Placed(ColumnShuffle):
    """Trains for ``seconds``, and remembers when."""

    def __init__(self, metadata: Any = None, seconds: float = 2.0, **options: Any) -> None:
        super().__init__(metadata, **options)
        self.seconds = seconds
        self.metrics: dict[str, Any] = {}

    def fit(self, data: pd.DataFrame, context: Any = None, table_name: Any = None, seed: Any = None) -> Placed:
        began = time.time()
        super().fit(data, context, table_name, seed)
        time.sleep(self.seconds)
        self.metrics = {
            "began": began,
            "ended": time.time(),
            "pid": os.getpid(),
        }
        return self


class Heavy(ColumnShuffle):
    """The trivial model with ``ballast`` bytes beside it."""

    def __init__(self, metadata: Any = None, ballast: int = 0, **options: Any) -> None:
        super().__init__(metadata, **options)
        self.ballast = ballast

    def save(self, path: str | Path) -> None:
        super().save(path)
        Path(path, "ballast").write_bytes(os.urandom(self.ballast))
