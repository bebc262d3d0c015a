"""A shop in which everything that is judged is there to be lost, and copies of it that each lost one thing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from synthohive_spark.metadata import Metadata

CUSTOMERS = 700
LAW = {"expression": "total >= price"}
METADATA = Metadata.load(
    {
        "tables": {
            "customers": {"primary_key": ["id"]},
            "orders": {
                "primary_key": ["id"],
                "foreign_keys": [
                    {
                        "columns": ["customer"],
                        "references": "customers",
                        "referenced_columns": ["id"],
                        "nullable": False,
                    }
                ],
            },
        }
    }
)
Shop = dict[str, pd.DataFrame]


def shop(seed: int) -> Shop:
    """Customers with none or about twelve orders; each customer has a taste of its own, and a balance that drifts."""
    rng = np.random.default_rng(seed)
    n = CUSTOMERS
    country = rng.choice(["DE", "FR", "IT", "PL"], n, p=[0.4, 0.3, 0.2, 0.1])
    segment = np.where(rng.random(n) < 0.85, np.where(np.isin(country, ["DE", "FR"]), "firm", "home"), "home")
    income = np.where(segment == "firm", 60, 30) + rng.normal(0, 8, n)
    number = np.where(rng.random(n) < 0.5, rng.integers(11, 14, n), 0)
    customers = pd.DataFrame({"id": np.arange(n) + 1, "country": country, "segment": segment, "income": income})
    owner = np.repeat(np.arange(n), number)
    m = len(owner)
    taste = rng.integers(0, 5, n)[owner]  # known of no column of the customer
    kind = np.where(rng.random(m) < 0.6, taste, rng.integers(0, 5, m))
    price = np.where(segment[owner] == "firm", 100, 40) + rng.normal(0, 15, m)
    weight, volume = rng.multivariate_normal([10, 10], [[4, 3.6], [3.6, 4]], m).T
    balance = np.concatenate([np.cumsum(rng.normal(0, 1, k)) for k in number if k])
    day = np.concatenate([np.sort(rng.choice(900, k, replace=False)) for k in number if k])
    orders = pd.DataFrame(
        {
            "id": np.arange(m) + 1,
            "customer": owner + 1,
            "placed": pd.Timestamp("2023-01-01") + pd.to_timedelta(day, "D"),
            "kind": kind.astype(str),
            "price": price,
            "weight": weight,
            "volume": volume,
            "balance": balance,
            "total": price + rng.exponential(5, m),
        }
    )
    return {"customers": customers, "orders": orders}


@dataclass(frozen=True)
class Damage:
    """What a copy lost, and what has to be named first.

    Attributes:
        kind: of what is worst.
        names: words of what is worst.
        figure: that falls below the gate; rules for a law.
        lose: makes a copy that lost it.
    """

    kind: str
    names: tuple[str, ...]
    figure: str
    lose: Callable[[Shop, np.random.Generator], Shop]


def _orders(change: Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]) -> Callable[..., Shop]:
    return lambda s, rng: {"customers": s["customers"], "orders": change(s["orders"].copy(), rng)}


def independent_columns(orders: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Every column in an order of its own."""
    columns = ("placed", "kind", "price", "weight", "volume", "balance", "total")
    return orders.assign(**{c: rng.permutation(orders[c].to_numpy()) for c in columns})


def decorrelated(orders: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """One of two columns that go with each other and with nothing else."""
    return orders.assign(volume=rng.permutation(orders["volume"].to_numpy()))


def shuffled_keys(orders: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The same keys, in another order."""
    return orders.assign(customer=rng.permutation(orders["customer"].to_numpy()))


def dealt_at_random(orders: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Every order has any customer."""
    return orders.assign(customer=rng.integers(1, CUSTOMERS + 1, len(orders)))


def fewer_children(orders: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Half of every customer's orders, from the beginning."""
    return orders[orders.groupby("customer").cumcount() < 6]


def siblings_apart(s: Shop, rng: np.random.Generator) -> Shop:
    """Orders change places with those of customers of the same kind: all but the siblings stays."""
    orders, customers = s["orders"].copy(), s["customers"].set_index("id")
    group = orders["customer"].map(customers["segment"] + customers["country"])
    rows = orders.groupby(group).transform(lambda c: rng.permutation(c.to_numpy()))["customer"]
    return {**s, "orders": orders.assign(customer=rows)}


def order_lost(orders: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """A customer's balances in any order."""
    return orders.assign(
        balance=orders.groupby("customer")["balance"].transform(lambda c: rng.permutation(c.to_numpy()))
    )


def shifted(orders: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """All weights a standard deviation higher."""
    return orders.assign(weight=orders["weight"] + 2)


def broken_law(orders: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Three orders whose total is below the price."""
    few = orders.index < 3
    return orders.assign(total=np.where(few, orders["price"] - 1, orders["total"]))


DAMAGES = {
    "independent columns": Damage("pair", ("price", "total"), "pairs", _orders(independent_columns)),
    "one pair decorrelated": Damage("pair", ("weight", "volume"), "pairs", _orders(decorrelated)),
    "shuffled foreign keys": Damage("parent and child", ("customers.segment",), "relations", _orders(shuffled_keys)),
    "children dealt at random": Damage("children per parent", ("customers",), "relations", _orders(dealt_at_random)),
    "wrong cardinality": Damage("children per parent", ("customers",), "relations", _orders(fewer_children)),
    "siblings shuffled between families": Damage("siblings", ("kind",), "relations", siblings_apart),
    "order within families lost": Damage("order", ("balance",), "relations", _orders(order_lost)),
    "one shifted column": Damage("column", ("weight",), "columns", _orders(shifted)),
    "a broken law": Damage("rule", ("total >= price",), "rules", _orders(broken_law)),
}
