"""SynthoHive for Spark: a synthetic copy of a Delta lake, learnt from its linked tables on a cluster.

The public names are loaded when they are first used, so that a light import (``Metadata``, the command lines' help)
does not wait for torch and Spark.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synthohive_spark.counts.distribution import LinkageModel
    from synthohive_spark.metadata import Metadata
    from synthohive_spark.models.autoregressive.model import AutoregressiveModel
    from synthohive_spark.models.base import ConditionalGenerativeModel
    from synthohive_spark.models.ctgan.model import CTGAN
    from synthohive_spark.orchestrator import StagedOrchestrator
    from synthohive_spark.synthesizer import Synthesizer

_HOMES = {
    "AutoregressiveModel": "models.autoregressive",
    "CTGAN": "models.ctgan",
    "ConditionalGenerativeModel": "models.base",
    "LinkageModel": "counts.distribution",
    "Metadata": "metadata",
    "StagedOrchestrator": "orchestrator",
    "Synthesizer": "synthesizer",
}

__all__ = [
    "CTGAN",
    "AutoregressiveModel",
    "ConditionalGenerativeModel",
    "LinkageModel",
    "Metadata",
    "StagedOrchestrator",
    "Synthesizer",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as e:
        if e.name != "pyspark":
            raise
        from synthohive_spark.launch.delta import NO_SPARK

        raise ImportError(NO_SPARK, name=e.name) from e
