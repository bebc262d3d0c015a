"""Generative models of one table, all behind ``ConditionalGenerativeModel``.

The families live in ``models.ctgan`` and ``models.autoregressive``; importing this package does not load torch, which
workers that only count and deal keys never need.
"""

from synthohive_spark.models.base import ConditionalGenerativeModel, check_model_class, resolve_model

__all__ = ["ConditionalGenerativeModel", "check_model_class", "resolve_model"]
