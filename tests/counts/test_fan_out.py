"""Parents for rows inside a group: no bucket takes one too often, and candidates are taken as often as wanted."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from synthohive_spark.counts.fan_out import CLASSES, FanOut, walk
from synthohive_spark.generation.groups import Copies, Demand, Members, slice_of

laws = st.dictionaries(st.floats(0, 40).map(lambda x: round(x, 2)), st.integers(1, 50), min_size=1, max_size=150)


def lines(asked: pd.DataFrame) -> pd.DataFrame:
    """What ``groups.running_within`` adds, in pandas."""
    sums = asked.groupby(["g", "class"])["asked"]
    return asked.assign(before=sums.cumsum() - asked["asked"], before_all=sums.transform("sum"))


def demanded(fan: FanOut, sizes: list[int], held: int, repeats: int | None) -> pd.DataFrame:
    """The demand of buckets of these sizes on one group."""
    rows = pd.DataFrame({"bucket": [str(i) for i in range(len(sizes))], "g": "=", "k": held, "size": sizes})
    rows = rows.assign(m=repeats or 0, in_group=7, in_bucket=np.arange(len(sizes)) * 12345)
    return lines(Demand(fan, 3, repeats is not None)(rows))


@given(laws, st.lists(st.integers(1, 60), min_size=1, max_size=30), st.integers(1, 70), st.integers(1, 3))
def test_no_bucket_takes_a_candidate_more_often_than_it_may(
    law: dict[float, int], sizes: list[int], held: int, repeats: int
) -> None:
    fan = FanOut.learn(law)
    assert len(fan.shares) <= CLASSES
    assert abs(sum(fan.shares) - 1) < 1e-9
    asked = demanded(fan, sizes, held, repeats)
    family = pd.DataFrame({"bucket": [str(i) for i in range(len(sizes))], "rank": range(len(sizes)), "total": sizes})
    family = family.assign(block=0, slices=1, at=0, rows=family["total"], begin=0)
    made = pd.concat(Members(1, 10_000)([family.merge(asked, on="bucket").rename(columns={"g": "g"})]))
    wanted = [min(n, held * repeats) for n in sizes]
    assert made.groupby("rank").size().reindex(range(len(sizes)), fill_value=0).tolist() == wanted
    assert max(Counter(zip(made["rank"], made["who"], strict=True)).values()) <= repeats
    assert made["who"].between(0, held - 1).all()
    assert not made.duplicated(["rank", "at"]).any()
    assert (made.groupby("rank")["at"].max() + 1).tolist() == wanted


@given(laws, st.lists(st.integers(1, 60), min_size=1, max_size=30), st.integers(1, 70))
def test_a_cell_takes_as_many_as_it_has_rows(law: dict[float, int], sizes: list[int], held: int) -> None:
    asked = demanded(FanOut.learn(law), sizes, held, None)
    cells = asked.assign(block=asked["bucket"].astype(int), slice=0).drop(columns="bucket")
    made = pd.concat(Copies(1)([cells]))
    assert made.groupby("block")["copies"].sum().tolist() == sizes
    assert made["who"].between(0, held - 1).all()
    assert (made["copies"] > 0).all()
    for _, of_class in asked.groupby("class"):
        low, high = int(of_class["first"].iloc[0]), int(of_class["first"].iloc[0] + of_class["held"].iloc[0])
        taken = made.groupby("who")["copies"].sum().reindex(range(low, high), fill_value=0)
        assert taken.max() - taken.min() <= 1  # candidates of a class are taken equally often


@given(st.integers(1, 3), st.integers(1, 200), st.integers(1, 7), st.integers(0, 50))
def test_each_row_lies_in_the_slice_that_has_its_place(long: int, total: int, slices: int, rank: int) -> None:
    at = np.arange(total)
    found = slice_of(np.full(total, rank), at, np.full(total, total), np.full(total, slices), long)
    for part in range(slices):
        if total > long:
            low, high = total * part // slices, total * (part + 1) // slices
            assert (found[low:high] == part).all()
    assert total > long or (found == rank % slices).all()


def test_degrees_are_the_sources_though_no_pair_repeats() -> None:
    rng = np.random.default_rng(0)
    chance = np.clip(np.outer(rng.beta(1, 2, 60), rng.beta(2, 2, 182)) * 2, 0, 1)
    real = rng.random(chance.shape) < chance
    sizes, degrees = real.sum(axis=1), real.sum(axis=0)
    relative = [Counter((n / n.mean()).tolist()) for n in (degrees, sizes)]
    fan = FanOut.learn(relative[0], float(real.mean()), relative[1])
    asked = demanded(fan, sizes.tolist(), 182, 1)
    who = walk(*(asked[c].to_numpy(np.int64) for c in ("first", "held", "before", "asked")))[1]
    made = np.bincount(who, minlength=182)
    assert abs(np.sort(made) - np.sort(degrees)).mean() < 0.02 * degrees.mean()
