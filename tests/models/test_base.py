"""The interface and the checks on model classes."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from synthohive_spark.errors import ConfigError
from synthohive_spark.models import ConditionalGenerativeModel, check_model_class, resolve_model
from synthohive_spark.models.autoregressive.model import AutoregressiveModel
from synthohive_spark.models.ctgan.model import CTGAN


class Bootstrap(ConditionalGenerativeModel):
    def fit(
        self,
        data: pd.DataFrame,
        context: pd.DataFrame | None = None,
        table_name: str | None = None,
        seed: int | None = None,
    ) -> Bootstrap:
        self.data = data
        return self

    def sample(self, num_rows: int, context: pd.DataFrame | None = None, seed: int | None = None) -> pd.DataFrame:
        return self.data.sample(num_rows, replace=True, random_state=seed, ignore_index=True)

    def save(self, path: str | Path) -> None:
        self.data.to_json(Path(path) / "data.json")

    @classmethod
    def load(cls, path: str | Path) -> Bootstrap:
        return cls().fit(pd.read_json(Path(path) / "data.json"))


class Incomplete(ConditionalGenerativeModel):
    def save(self, path: str | Path) -> None: ...


def test_a_custom_class_is_accepted_with_and_without_options() -> None:
    assert check_model_class(Bootstrap) is Bootstrap
    assert Bootstrap(None, temperature=1.0).options == {"temperature": 1.0}


@pytest.mark.parametrize(
    ("candidate", "message"),
    [
        ("ctgan", "not a class"),
        (Bootstrap(), "not a class"),
        (dict, "dict is not a subclass of ConditionalGenerativeModel"),
        (Incomplete, "Incomplete lacks fit, load, sample of"),
    ],
)
def test_other_things_are_refused_with_what_is_missing(candidate: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        check_model_class(candidate)


def test_names_and_class_paths_resolve() -> None:
    assert resolve_model("ctgan") is CTGAN
    assert resolve_model("autoregressive") is AutoregressiveModel
    assert resolve_model(f"{__name__}.Bootstrap").__name__ == "Bootstrap"


@pytest.mark.parametrize("name", ["gan", "no.such.module.Class", "pathlib.NoSuchClass", "pathlib.Path", ""])
def test_names_that_do_not_resolve_are_refused_with_a_remedy(name: str) -> None:
    with pytest.raises(ConfigError, match=r"ctgan|derive"):
        resolve_model(name)
