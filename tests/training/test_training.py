"""What a training task does to its sample before a model sees it. No Spark."""

from __future__ import annotations

import numpy as np
import pandas as pd

from synthohive_spark.models.encoders import RARE_TOKEN
from synthohive_spark.rules.kinds.null_implication import NullWhere
from synthohive_spark.schema.context import ContextColumn
from synthohive_spark.training.task import _as_published


def test_nulls_that_a_law_makes_are_not_learnt_twice() -> None:
    rng = np.random.default_rng(4)
    cancelled, lost = rng.random(2000) < 0.1, rng.random(2000) < 0.05
    leave = pd.array(np.where(cancelled, 0, rng.integers(1, 9, 2000)), "Int64")
    leave[cancelled] = pd.NA
    arrive = pd.array(rng.integers(10, 20, 2000), "Int64")
    arrive[cancelled | lost] = pd.NA
    data = pd.DataFrame({"leave": leave, "arrive": arrive, "other": range(2000)})
    rule, none = NullWhere(column="arrive", causes=("leave",), expression="..."), pd.DataFrame(index=range(2000))
    made = rule.encode(data, none, data, 1)
    assert made["arrive"].isna().to_numpy().tolist() == (lost & ~cancelled).tolist()
    assert made["arrive"].dtype == data["arrive"].dtype
    untouched = ~cancelled
    assert made["arrive"][untouched].equals(data["arrive"][untouched])
    assert made[["leave", "other"]].equals(data[["leave", "other"]])
    assert set(made["arrive"].dropna()) <= set(data["arrive"].dropna())
    assert rule.encode(data, none, data, 1).equals(made)


def test_a_text_that_few_parents_hold_is_rare_to_their_children_however_many_these_are() -> None:
    parents = np.repeat(np.arange(8), 50)
    country = pd.Series(np.repeat(["USA", "USA", "USA", "Chile", "Chile", "Norway", None, "USA"], 50), dtype=object)
    orphans = np.where(np.arange(400) < 10, -1, parents)
    context = pd.DataFrame({"k:country": country, "k:carrier": country, "k:size": parents, "g:country": country})
    columns = [
        ContextColumn(name="k:country", path=(0,), column="country", type="string"),
        ContextColumn(name="k:carrier", path=(0,), column="carrier", type="string", verbatim=True),
        ContextColumn(name="k:size", path=(0,), column="size", type="bigint"),
        ContextColumn(name="g:country", path=(1,), column="country", type="string"),
    ]
    shown = _as_published(context, columns, {0: orphans}, 3)
    expected = country.replace({"Chile": RARE_TOKEN, "Norway": RARE_TOKEN})
    pd.testing.assert_series_equal(shown["k:country"], expected, check_names=False)
    assert shown.drop(columns="k:country").equals(context.drop(columns="k:country"))
