"""A column is a function of another one on nearly all rows: a code has one description, but for a few rows.

The exceptions keep their share: which rows have one follows from the hash of the row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from synthohive_spark.rules.coded import COVER, FAR_FROM_CHANCE, NEARLY, Coded, commonest, determinants
from synthohive_spark.rules.evidence import EVIDENCE, Sample
from synthohive_spark.rules.kind import Law
from synthohive_spark.rules.value_kind import Candidate, ValueKind

OFTEN = 5  # rows in which a value must occur before one of them may be an exception


class NearDictionary(ValueKind):
    """For columns of which nothing says all: what says most."""

    name = "near_dictionary"
    order = 91
    tabled = True

    def candidates(self, sample: Sample) -> tuple[Candidate, ...]:
        """None, as for dictionaries."""
        return ()

    def search(self, sample: Sample) -> list[Law]:
        """For each target the text, flag or whole number that agrees with it most; dates decide by thresholds."""
        targets = [Coded.of(c) for c in sample.targets if c.family not in ("time", "plain time")]
        singles = [d for d in determinants(sample) if d.columns[0].family in ("other", "integer")]
        found = list[Law]()
        for target in (t for t in targets if t.size > 1):
            scores = {d: score for d in singles if d.ids != target.ids and (score := _agreement(d, target)) is not None}
            best = max(scores, key=lambda d: (scores[d], -d.size), default=None)
            if best is not None:
                numbers = sum(c.number for c in best.columns)
                found.append(Law(self.name, target.ids[0], best.ids, "", "whole", "", target.size, numbers))
        return found

    def expression(self, law: Law, names: Mapping[str, str], types: Mapping[str, str]) -> str:
        """What it follows from; the SQL is that of the rule, which holds the dictionary."""
        return f"nearly({', '.join(names[i] for i in law.inputs)})"


def _agreement(determinant: Coded, target: Coded) -> float | None:
    """The share of the rows that have the usual target of their determinant; None where that says nothing."""
    looked = determinant.told if determinant.columns[0].above else np.ones(len(target.codes), bool)
    groups, targets = np.unique(determinant.codes[looked], return_inverse=True)[1].reshape(-1), target.codes[looked]
    null = np.isnan(target.columns[0].values[looked])
    if len(np.unique(groups[null])) + len(np.unique(groups[~null])) > groups.max(initial=-1) + 1:
        return None  # where it is null is another question
    rows = np.bincount(groups)
    usual = np.rint(commonest(targets, groups)[np.unique(groups, return_index=True)[1]] * rows)
    often = rows >= OFTEN
    share = usual[often].sum() / max(1, rows[often].sum())
    chance = float(np.bincount(targets).max() / len(targets))
    if rows[often].sum() < COVER * len(groups) or share < NEARLY or 1 - share > FAR_FROM_CHANCE * (1 - chance):
        return None
    agreed = -(usual - 1).sum() * math.log(chance)
    apart = (rows - usual).sum() * math.log(max(2, target.size))
    return float(share) if agreed - apart >= EVIDENCE else None
