"""The autoregressive model: every column one or two categorical draws, given those before it and the context."""

from synthohive_spark.models.autoregressive.model import AutoregressiveModel

__all__ = ["AutoregressiveModel"]
