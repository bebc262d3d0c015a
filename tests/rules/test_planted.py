"""Databases of planted rules: what holds on every row of the source holds in the copy, and nothing else is a rule."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.rules.planted import database


@pytest.mark.parametrize("seeds", [range(60)])
def test_the_databases_keep_what_was_planted(seeds: range) -> None:
    seen = Counter[str]()
    for seed in seeds:
        db = database(seed)
        frames = db.frames(db.written())
        for rule in db.rules:
            seen[rule.kind] += 1
            if rule.sort == "rule":
                assert rule.share(frames) == 1.0, (seed, rule)
            elif rule.sort == "near":
                assert 0.9 < rule.share(frames) < 0.995, (seed, rule)
    assert min(seen.values()) >= 10
