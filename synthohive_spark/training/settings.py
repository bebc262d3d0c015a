"""How models are trained: the class, its options, the budget."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from synthohive_spark.errors import ConfigError, SynthoHiveError
from synthohive_spark.metadata import Metadata
from synthohive_spark.models.base import ConditionalGenerativeModel
from synthohive_spark.strict import nearest


@dataclass(frozen=True)
class TrainSettings:
    """How models are trained.

    Attributes:
        model_cls: the class of every table's model.
        options: arguments of its constructor that the user gave.
        max_seconds: budget per table.
        k: people who must hold a value before it may be learnt.
        parallelism: tables side by side; None for as many as there are slots.
    """

    model_cls: type[ConditionalGenerativeModel]
    sample_rows: int = 200_000
    max_seconds: float | None = 60.0
    epochs: int | None = None
    seed: int = 1
    gpu: str = "auto"
    k: int = 5
    parallelism: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def constructor_options(self, device: str) -> dict[str, Any]:
        """Arguments for the model's constructor: the user's, and those of ours that it takes."""
        ours = {
            "epochs": self.epochs,
            "max_seconds": self.max_seconds,
            "device": device,
            "min_count": self.k,
            "threads": int(os.environ.get("OMP_NUM_THREADS", "1")),
        }
        parameters = inspect.signature(self.model_cls).parameters
        if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
            ours = {k: v for k, v in ours.items() if k in parameters}
        return {**ours, **self.options}

    def check(self) -> None:
        """Refuse options that the model's constructor does not take.

        Raises:
            ConfigError: naming the nearest option that it takes.
        """
        parameters = inspect.signature(self.model_cls).parameters
        known = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
        unknown = [] if known else [o for o in self.options if o not in parameters]
        if unknown:
            hints = "; ".join(f"{o}: {nearest(o, list(parameters))}" for o in unknown)
            raise ConfigError(f"train.options: {self.model_cls.__name__} does not take {hints}")
        try:
            self.model_cls(Metadata(), **self.constructor_options("cpu"))
        except SynthoHiveError:
            raise
        except Exception as e:
            problem = f"{self.model_cls.__name__} cannot be made with them ({type(e).__name__}: {e})"
            raise ConfigError(f"train.options: {problem}; correct them") from e
