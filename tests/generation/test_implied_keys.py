"""Keys that follow from others in the source follow in the copy, and what only nearly holds is left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from synthohive_spark.evaluation.rules import derived_columns
from synthohive_spark.metadata import Metadata
from tests.lakes import fitted, key_faults, write_lake

pytestmark = [pytest.mark.spark, pytest.mark.slow]
Spec = dict[str, Any]
CLIENTS, ORDERS, BILLS = 60, 200, 500


def key(columns: str, parent: str, referenced: str = "id", **more: Any) -> Spec:
    wanted = {"columns": columns.split(","), "referenced_columns": referenced.split(",")}
    return {**wanted, "references": parent, **more}


def planted() -> tuple[dict[str, Spec], dict[str, pd.DataFrame]]:
    """Metadata and rows: a chain of three levels, twins, tenants, keys that are null together, and near laws."""
    rng = np.random.default_rng(8)
    tables: dict[str, Spec] = {}
    rows: dict[str, pd.DataFrame] = {}

    def table(name: str, data: dict[str, Any], pk: Any, *keys: Spec) -> None:
        tables[name], rows[name] = {"primary_key": pk, "foreign_keys": list(keys)}, pd.DataFrame(data)

    table("region", {"id": np.arange(8), "land": list("abcdefgh")}, "id")
    home = rng.integers(8, size=CLIENTS)
    table("client", {"id": np.arange(CLIENTS), "region": home}, "id", key("region", "region"))
    who, clerk = rng.integers(CLIENTS, size=ORDERS), rng.integers(CLIENTS, size=ORDERS)
    table(
        "orders",
        {"id": np.arange(ORDERS) + 1000, "client": who, "clerk": clerk, "twin": clerk},
        "id",
        *(key(c, "client") for c in ("client", "clerk", "twin")),
    )
    of = np.sort(rng.integers(ORDERS, size=BILLS))
    counted = pd.Series(of).groupby(of).cumcount().to_numpy()
    told = {"region": home[who[of]], "client": who[of], "order": of + 1000}
    above = (key("region", "region"), key("client", "client"), key("order", "orders"))
    table("bill", {**told, "n": counted, "sum": rng.normal(size=BILLS)}, ["client", "order", "n"], *above)
    near = who[of].copy()
    near[::100] = (near[::100] + 1) % CLIENTS
    table("near", {"id": np.arange(BILLS), "client": near, "order": of + 1000}, "id", *above[1:])
    gone = rng.random(BILLS) < 0.3
    table(
        "visit",
        {"id": np.arange(BILLS), **{c: pd.array(told[c], "Int64") for c in ("client", "order")}},
        "id",
        key("client", "client", nullable=True),
        key("order", "orders", nullable=True),
    )
    rows["visit"].loc[gone, ["client", "order"]] = pd.NA
    some = np.where(gone, rng.integers(CLIENTS, size=BILLS), who[of])  # whoever calls without an order
    first = rng.integers(20, size=BILLS)
    table("desk", {"id": np.arange(20)}, "id")
    table(
        "call",
        {
            "id": np.arange(BILLS),
            "desk": first,
            "client": some,
            "clerk": pd.array(clerk[of], "Int64"),
            "order": pd.array(of + 1000, "Int64"),
        },
        "id",
        key("desk", "desk"),
        key("client", "client"),
        key("clerk", "client", nullable=True),
        key("order", "orders", nullable=True),
    )
    rows["call"].loc[gone, ["clerk", "order"]] = pd.NA
    rows["call"].loc[rng.random(BILLS) < 0.4, "clerk"] = pd.NA
    few = rng.choice(np.flatnonzero(who < 12), size=200)
    table("gift", {"id": np.arange(200), "client": who[few], "order": few + 1000}, "id", *above[1:])
    table("tenant", {"t": np.arange(6)}, "t")
    man = [(t, c) for t in range(6) for c in range(4 + t)]
    table("man", {"t": [t for t, _ in man], "c": [c for _, c in man]}, ["t", "c"], key("t", "tenant", "t"))
    deal = [(t, o, int(rng.integers(4 + t))) for t in range(6) for o in range(20)]
    held = {"t": [t for t, _, _ in deal], "o": [o for _, o, _ in deal], "c": [c for _, _, c in deal]}
    table("deal", held, ["t", "o"], key("t", "tenant", "t"), key("t,c", "man", "t,c"))
    paid = rng.integers(len(deal), size=300)
    table(
        "pay",
        {"id": np.arange(300), **{c: np.array(v)[paid] for c, v in held.items()}},
        "id",
        key("t", "tenant", "t"),
        key("t,o", "deal", "t,o"),
        key("t,c", "man", "t,c"),
    )
    return tables, rows


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The orchestrator, and what it made."""
    folder: Path = tmp_path_factory.mktemp("implied")
    tables, rows = planted()
    metadata = Metadata.load({"tables": tables})
    made = fitted(spark, metadata, write_lake(spark, folder / "source", rows))
    made.generate({}, str(folder / "target"))
    copy: dict[str, DataFrame] = {t: made.io.read_dataset(str(folder / "target" / t)) for t in tables}
    assert made.trained is not None
    return {
        "plans": made.trained.plans,
        "metadata": metadata,
        "spark": copy,
        **{t: f.toPandas() for t, f in copy.items()},
    }


def follows(lake: dict[str, Any], table: str) -> dict[str, tuple[int, ...]]:
    keys = lake["plans"][table].keys.foreign
    return {"+".join(k.columns): k.path.hops for k in keys if k.path is not None}


def test_keys_are_valid(lake: dict[str, Any]) -> None:
    assert key_faults(lake["metadata"], lake["spark"]) == []


def test_keys_follow_up_to_three_levels_and_the_finest_drives(lake: dict[str, Any]) -> None:
    assert follows(lake, "bill") == {"region": (2, 0), "client": (2,)}
    assert lake["plans"]["bill"].keys.driving.columns == ("order",)
    bill, orders = lake["bill"], lake["orders"].set_index("id")
    client = lake["client"].set_index("id")
    assert (bill["client"] == orders["client"].loc[bill["order"]].to_numpy()).all()
    assert (bill["region"] == client["region"].loc[bill["client"]].to_numpy()).all()
    assert bill.groupby("order").size().value_counts().to_dict() == _counts(planted()[1]["bill"]["order"])


def _counts(column: Any) -> dict[int, int]:
    return column.value_counts().value_counts().to_dict()


def test_two_keys_that_always_agree(lake: dict[str, Any]) -> None:
    assert follows(lake, "orders") == {"twin": (1,)}
    assert (lake["orders"]["twin"] == lake["orders"]["clerk"]).all()
    assert (lake["orders"]["client"] != lake["orders"]["clerk"]).any()


def test_the_report_says_what_keys_follow_from(lake: dict[str, Any]) -> None:
    def told(table: str) -> dict[str, str]:
        found = derived_columns(lake["metadata"].tables[table], table, lake["plans"], {})
        return {d.column: d.source for d in found if d.column != "sum"}

    assert told("orders") == {"twin": "`clerk`"}
    assert told("bill") == {"region": "`client`.`region`", "client": "`orders`.`client`"}
    assert told("call") == {
        "client": "`orders`.`client` where `order` is set",
        "clerk": "`orders`.`clerk` where it is set",
    }


def test_what_holds_on_nearly_all_rows_does_so_in_the_copy(lake: dict[str, Any]) -> None:
    assert follows(lake, "near") == {"client": (1,)}
    assert lake["plans"]["near"].keys.driving.columns == ("order",)
    near, orders = lake["near"], lake["orders"].set_index("id")
    assert 1 <= (near["client"] != orders["client"].loc[near["order"]].to_numpy()).sum() <= 8


def test_keys_that_are_null_together(lake: dict[str, Any]) -> None:
    visit, orders = lake["visit"], lake["orders"].set_index("id")
    assert follows(lake, "visit") == {"client": (1,)}
    assert (visit["client"].isna() == visit["order"].isna()).all()
    assert 0.2 < visit["order"].isna().mean() < 0.4
    told = visit.dropna()
    assert (told["client"] == orders["client"].loc[told["order"]].to_numpy()).all()


def test_a_key_that_is_set_on_some_rows_only_and_one_that_names_anybody_without_the_leading_key(
    lake: dict[str, Any],
) -> None:
    call, orders = lake["call"], lake["orders"].set_index("id")
    roles = {k.columns[0]: k.role for k in lake["plans"]["call"].keys.foreign}
    assert roles == {"desk": "driving", "client": "drawn", "clerk": "following", "order": "drawn"}
    assert follows(lake, "call") == {"client": (3,), "clerk": (3,)}
    told = call[call["order"].notna()]
    assert (told["client"] == orders["client"].loc[told["order"]].to_numpy()).all()
    known = told[told["clerk"].notna()]
    assert (known["clerk"] == orders["clerk"].loc[known["order"]].to_numpy()).all()
    shares = [call["order"].isna().mean(), call["clerk"].isna().mean(), call["client"].isna().mean()]
    source = planted()[1]["call"]
    assert np.allclose(shares, [source["order"].isna().mean(), source["clerk"].isna().mean(), 0], atol=0.02)
    assert call.loc[call["order"].isna(), "client"].nunique() > 30


def test_where_rows_lie_on_few_parents_of_the_coarse_key_it_drives(lake: dict[str, Any]) -> None:
    roles = {k.columns[0]: k.role for k in lake["plans"]["gift"].keys.foreign}
    assert roles == {"client": "driving", "order": "bound"}
    gift, orders = lake["gift"], lake["orders"].set_index("id")
    assert (gift["client"] == orders["client"].loc[gift["order"]].to_numpy()).all()
    assert gift["client"].nunique() <= 12


def test_composite_keys_of_a_tenant(lake: dict[str, Any]) -> None:
    assert follows(lake, "pay") == {"t+c": (1,)}
    pay, deal = lake["pay"], lake["deal"].set_index(["t", "o"])
    assert (pay["c"] == deal["c"].loc[list(zip(pay["t"], pay["o"], strict=True))].to_numpy()).all()
