"""What a training task does to its sample before a model sees it. No Spark."""

from __future__ import annotations

import numpy as np
import pandas as pd

from synthohive_spark.models.encoders import RARE_TOKEN
from synthohive_spark.rules.kinds.null_implication import NullWhere
from synthohive_spark.schema.context import ContextColumn
from synthohive_spark.training.published import as_published


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


def test_a_text_that_few_parents_hold_is_not_shown_to_their_children_however_many_these_are() -> None:
    parents = np.repeat(np.arange(8), 50)
    country = pd.Series(np.repeat(["USA", "USA", "USA", "Chile", "Chile", "Norway", None, "USA"], 50), dtype=object)
    orphans = np.where(np.arange(400) < 10, -1, parents)
    context = pd.DataFrame({"k:country": country, "k:carrier": country, "k:size": parents, "g:country": country})
    columns = [
        ContextColumn(name="k:country", path=(0,), holder=(0,), column="country", type="string"),
        ContextColumn(name="k:carrier", path=(0,), holder=(0,), column="carrier", type="string", verbatim=True),
        ContextColumn(name="k:size", path=(0,), holder=(0,), column="size", type="bigint"),
        ContextColumn(name="g:country", path=(1,), holder=(1,), column="country", type="string"),
    ]
    shown = as_published(context, columns, {(0,): orphans, (1,): np.arange(400)}, 3, 1)
    expected = country.replace({"Chile": "USA", "Norway": "USA"})
    pd.testing.assert_series_equal(shown["k:country"], expected, check_names=False)
    assert shown.drop(columns="k:country").equals(context.drop(columns="k:country"))


def few_cities(rows: int) -> tuple[pd.DataFrame, list[ContextColumn]]:
    """Parents with ten children each: a city of two in ten is its own, of a country as of the others."""
    rng = np.random.default_rng(5)
    region = rng.integers(0, 4, rows)
    city = np.array([f"city {r}{i % 3}" for i, r in enumerate(region)], dtype=object)
    alone = rng.random(rows) < 0.2
    city[alone] = [f"village {i}" for i in np.flatnonzero(alone)]
    people = pd.DataFrame({"k:city": city, "k:region": [f"region {r}" for r in region]}, dtype=object)
    columns = [ContextColumn(name=c, path=(0,), holder=(0,), column=c[2:], type="string") for c in people]
    return people.loc[people.index.repeat(10)].reset_index(drop=True), columns


def test_a_rare_text_of_a_parent_is_that_of_another_parent_like_it() -> None:
    context, columns = few_cities(300)
    code = np.arange(3000) // 10
    shown = as_published(context, columns, {(0,): code}, 3, 1)
    assert not shown["k:city"].str.contains("village|_RARE_").any()
    assert (shown["k:city"].groupby(code).nunique() == 1).all(), "siblings see one parent"
    known = context["k:city"].str.startswith("city")
    assert shown["k:city"][known].equals(context["k:city"][known])
    assert (shown["k:city"].str[5] == shown["k:region"].str[7]).mean() > 0.97
    assert as_published(context, columns, {(0,): code}, 3, 1).equals(shown)
    assert not as_published(context, columns, {(0,): code}, 3, 2).equals(shown)


def test_made_up_words_of_a_parent_are_all_one_to_its_children() -> None:
    context, columns = few_cities(300)
    context["k:city"] = context["k:city"].mask(context["k:city"].str[5] > "0", "village " + context.index.astype(str))
    code = np.arange(3000) // 10
    context["k:city"] = context.groupby(code)["k:city"].transform("first")
    shown = as_published(context, columns, {(0,): code}, 3, 1)["k:city"]
    assert RARE_TOKEN in set(shown)
    assert not shown.str.contains("village").any()
