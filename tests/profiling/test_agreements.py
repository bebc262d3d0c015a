"""Two parents of one row that always have one country: the copy's have too. Without a common ancestor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from synthohive_spark.metadata import Metadata
from tests.lakes import fitted, key_faults, write_lake

pytestmark = pytest.mark.spark
LANDS = np.array(["Chile", "Ghana", "Japan", "Spain"])
METADATA = Metadata()
METADATA.add_table("clients", pk="client_id")
METADATA.add_table("depots", pk="depot_id")
METADATA.add_table("orders", pk="order_id", fk={"client_id": "clients.client_id", "depot_id": "depots.depot_id"})


def test_parents_that_agree_in_a_value_do_so_in_the_copy(spark: SparkSession, tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    clients = pd.DataFrame({"client_id": range(200), "land": LANDS[rng.choice(4, 200, p=[0.4, 0.3, 0.2, 0.1])]})
    clients["rank"] = rng.choice(["a", "b", "c"], 200)  # in which nobody agrees
    depots = pd.DataFrame({"depot_id": range(40), "region": LANDS[np.arange(40) % 4]})
    depots["grade"] = rng.choice(["a", "b", "c"], 40)
    near = {land: depots["depot_id"][depots["region"] == land].to_numpy() for land in LANDS}
    who = rng.integers(0, 200, 1_500)
    orders = pd.DataFrame({"order_id": range(1_500), "client_id": who})
    orders["depot_id"] = [int(rng.choice(near[clients["land"][c]])) for c in who]
    paths = write_lake(spark, tmp_path, {"clients": clients, "depots": depots, "orders": orders})
    made = fitted(spark, METADATA, paths)
    assert made.trained is not None
    key = next(k for k in made.trained.plans["orders"].keys.foreign if k.references == "depots")
    assert key.tie == (("land", "region"),)
    copies = made.generate({})
    assert key_faults(METADATA, copies) == []
    copy = {name: frame.toPandas() for name, frame in copies.items()}
    both = copy["orders"].merge(copy["clients"], on="client_id").merge(copy["depots"], on="depot_id")
    assert len(both) == pytest.approx(1_500, rel=0.02)
    assert (both["land"] == both["region"]).all()
    assert copy["orders"]["depot_id"].nunique() >= 36, "no depot is left out"


@pytest.mark.slow
def test_parents_agree_in_what_lies_above_them(spark: SparkSession, tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    branches = pd.DataFrame({"branch_id": range(40), "land": LANDS[np.arange(40) % 4]})
    agents = pd.DataFrame({"agent_id": range(80), "branch_id": np.arange(80) % 40, "level": rng.choice(["a", "b"], 80)})
    people = pd.DataFrame({"person_id": range(150), "land": LANDS[rng.choice(4, 150, p=[0.4, 0.3, 0.2, 0.1])]})
    cars = pd.DataFrame({"car_id": range(300), "person_id": rng.integers(0, 150, 300)})
    home = branches["land"].to_numpy()[agents["branch_id"]]
    car = rng.integers(0, 300, 1_200)
    policies = pd.DataFrame({"policy_id": range(1_200), "car_id": car})
    lands = people["land"].to_numpy()[cars["person_id"].to_numpy()[car]]
    policies["agent_id"] = [int(rng.choice(np.flatnonzero(home == land))) for land in lands]
    metadata = Metadata()
    metadata.add_table("branches", pk="branch_id")
    metadata.add_table("agents", pk="agent_id", fk={"branch_id": "branches.branch_id"})
    metadata.add_table("people", pk="person_id")
    metadata.add_table("cars", pk="car_id", fk={"person_id": "people.person_id"})
    metadata.add_table("policies", pk="policy_id", fk={"car_id": "cars.car_id", "agent_id": "agents.agent_id"})
    tables = {"branches": branches, "agents": agents, "people": people, "cars": cars, "policies": policies}
    made = fitted(spark, metadata, write_lake(spark, tmp_path, tables))
    copies = made.generate({})
    assert key_faults(metadata, copies) == []
    copy = {name: frame.toPandas() for name, frame in copies.items()}
    seen = copy["policies"].merge(copy["cars"], on="car_id").merge(copy["people"], on="person_id")
    both = seen.merge(copy["agents"], on="agent_id").merge(copy["branches"], on="branch_id")
    assert len(both) > 1_000
    assert (both["land_x"] == both["land_y"]).all()
