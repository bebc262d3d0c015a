"""A copy that repeats its source is found out, one of other people of the same kind is not. No Spark."""

from __future__ import annotations

import numpy as np

from synthohive_spark.evaluation.attacks import Points, distances, linkability, risks


def people(rows: int, seed: int, each: int = 3) -> Points:
    rng = np.random.default_rng(seed)
    numbers = rng.random((rows, 4))
    numbers[rng.random((rows, 4)) < 0.05] = np.nan
    return Points(numbers, rng.integers(-1, 5, (rows, 3)), np.arange(rows) // each)


def test_a_copy_of_other_people_tells_nothing() -> None:
    found = risks(people(600, 1), people(600, 2), people(900, 3), 7)
    assert {name: risk.excess for name, risk in found.items()} == dict.fromkeys(found, 0.0)
    assert 0.45 < found["membership"].value < 0.55
    assert 0.45 < found["dcr"].value < 0.55
    assert found["identical"].value == 0
    assert found["membership"].low < 0.5 < found["membership"].high


def test_a_copy_that_repeats_its_source_is_found_out_by_every_attack() -> None:
    seen, others = people(600, 1), people(300, 3)
    repeated = Points(
        np.concatenate([seen.numbers[:500], others.numbers]),
        np.concatenate([seen.codes[:500], others.codes]),
        np.arange(800),
    )
    found = risks(seen, people(600, 2), repeated, 7)
    assert all(risk.excess > 0.1 for risk in found.values()), found
    assert found["membership"].value > 0.9
    assert found["identical"].value > 0.8


def test_distances_are_those_of_gower() -> None:
    one = Points(np.array([[0.1, np.nan]]), np.array([[1, 2]]), np.array([0]))
    two = Points(np.array([[0.3, np.nan], [0.1, 0.5]]), np.array([[1, 3], [1, 2]]), np.array([0, 1]))
    assert np.allclose(distances(one, two), [min((0.2 + 0 + 0 + 1) / 4, (0 + 1 + 0 + 0) / 4)])


def test_intervals_count_people_not_their_rows() -> None:
    """Ten rows of one person are no ten witnesses."""
    wide, narrow = (risks(people(600, 1, each), people(600, 2, each), people(600, 3, each), 7) for each in (60, 1))
    assert wide["membership"].high - wide["membership"].low > narrow["membership"].high - narrow["membership"].low


def test_a_copy_links_what_is_known_of_a_person_only_where_it_repeats_people() -> None:
    """Half a row leads to the row of the copy that was made from it, and the other half to the same one."""
    seen, unseen = people(400, 1), people(400, 2)
    found = {}
    for name, rows in (("repeats", seen), ("knows", people(400, 5))):
        copy = Points(rows.numbers, rows.codes, np.arange(rows.size))
        found[name] = linkability(seen, unseen, copy, np.random.default_rng(1))
    assert found["repeats"].value > 0.6
    assert found["repeats"].excess > 0.4
    assert found["knows"].excess == 0
    one = people(200, 1).only(np.array([4]))
    assert linkability(one, one, one, np.random.default_rng(1)).value == 0, "no two halves of one column"


def test_rows_that_are_equally_near_link_nobody() -> None:
    """Of few categories every row has many nearest ones: the two halves take different ones of them."""
    rng = np.random.default_rng(3)
    seen, unseen, copy = (Points(np.zeros((500, 0)), rng.integers(0, 2, (500, 4)), np.arange(500)) for _ in range(3))
    found = linkability(seen, unseen, copy, rng)
    assert found.value < 0.5
    assert found.excess == 0
