"""Generative models of one table, all behind ``ConditionalGenerativeModel``."""

from synthohive_spark.models.base import ConditionalGenerativeModel, check_model_class, resolve_model
from synthohive_spark.models.ctgan import CTGAN

__all__ = ["CTGAN", "ConditionalGenerativeModel", "check_model_class", "resolve_model"]
