"""The interface of every generative model, and the checks that keep other classes out."""

from __future__ import annotations

import importlib
import inspect
from abc import ABC, abstractmethod
from collections.abc import Set as AbstractSet
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

import pandas as pd
from typing_extensions import Self

from synthohive_spark.errors import ConfigError

BUILT_IN = MappingProxyType(
    {
        "autoregressive": "synthohive_spark.models.autoregressive.AutoregressiveModel",
        "ctgan": "synthohive_spark.models.ctgan.CTGAN",
    }
)


class KeyMetadata(Protocol):
    """What a model asks of metadata: which columns of a table are keys."""

    def key_columns(self, table_name: str) -> AbstractSet[str]:
        """Returns the columns of the table's primary and foreign keys."""


class ConditionalGenerativeModel(ABC):
    """A model of the rows of one table, given context columns of its parent.

    Args:
        metadata: says which columns are keys; these are left out of what is modelled.
        options: of the subclass.

    Attributes:
        files: names of the files that ``save`` writes; None for a class that names them as it likes.
    """

    files: ClassVar[tuple[str, ...] | None] = None

    def __init__(self, metadata: KeyMetadata | None = None, **options: Any) -> None:
        self.metadata = metadata
        self.options = options

    @abstractmethod
    def fit(
        self,
        data: pd.DataFrame,
        context: pd.DataFrame | None = None,
        table_name: str | None = None,
        seed: int | None = None,
    ) -> Self:
        """Learns (n, k) rows, given the (n, c) context of each; n is a bounded sample."""

    @abstractmethod
    def sample(self, num_rows: int, context: pd.DataFrame | None = None, seed: int | None = None) -> pd.DataFrame:
        """Returns (num_rows, k) new rows, one for each of the (num_rows, c) rows of the context."""

    def sample_table(self, num_rows: int, context: pd.DataFrame | None = None, seed: int | None = None) -> pd.DataFrame:
        """Returns (num_rows, k) rows that stand for the table, as ``sample`` does unless a model can do better.

        Called where all rows of a table, or a fair part of them, are drawn at once, so that a model may keep the shares
        of each column.
        """
        return self.sample(num_rows, context=context, seed=seed)

    @abstractmethod
    def save(self, path: str | Path) -> None:
        """Writes the model into the folder ``path``."""

    @classmethod
    @abstractmethod
    def load(cls, path: str | Path) -> Self:
        """Reads the model that ``save`` wrote; runs no code that lies there."""


def check_model_class(candidate: object) -> type[ConditionalGenerativeModel]:
    """Returns ``candidate`` if it is a usable model class.

    Raises:
        TypeError: if it is not a class, not a subclass of ConditionalGenerativeModel, or lacks methods.
    """
    wanted = ConditionalGenerativeModel.__name__
    if not inspect.isclass(candidate):
        raise TypeError(f"{candidate!r} is not a class; give a subclass of {wanted}, not an instance or a name")
    if not issubclass(candidate, ConditionalGenerativeModel):
        raise TypeError(f"{candidate.__name__} is not a subclass of {wanted}; derive it from that class")
    missing = sorted(getattr(candidate, "__abstractmethods__", ()))
    if missing:
        raise TypeError(f"{candidate.__name__} lacks {', '.join(missing)} of {wanted}; implement what is missing")
    return candidate


def model_name(model: type[ConditionalGenerativeModel]) -> str:
    """The name by which a configuration knows a class: that of a built-in one, or package.module.Class."""
    path = f"{model.__module__}.{model.__qualname__}"
    same = (name for name, known in BUILT_IN.items() if known.rpartition(".")[2] == model.__qualname__)
    return next((n for n in same if model.__module__.startswith(BUILT_IN[n].rpartition(".")[0])), path)


def resolve_model(name: str) -> type[ConditionalGenerativeModel]:
    """Returns the model class of a configured name: a built-in one or "package.module.Class".

    Raises:
        ConfigError: if there is no such class, or it is not a model.
    """
    built_in = ", ".join(sorted(BUILT_IN))
    module_name, _, class_name = BUILT_IN.get(name, name).rpartition(".")
    if not module_name:
        raise ConfigError(f"unknown model {name!r}; use one of {built_in}, or a class path package.module.Class")
    try:
        candidate = getattr(importlib.import_module(module_name), class_name)
    except (Exception, SystemExit) as error:  # the module runs when it is imported, and may raise anything
        raise ConfigError(
            f"model {name!r} cannot be imported ({type(error).__name__}: {error}); use one of {built_in}, "
            "or put the package of the class on the Python path of driver and executors"
        ) from error
    try:
        return check_model_class(candidate)
    except TypeError as error:
        raise ConfigError(f"model {name!r} cannot be used: {error}") from error
