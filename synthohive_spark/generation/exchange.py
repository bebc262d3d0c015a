"""Parents exchanged between the rows of a batch, until each row has parents that may meet."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from synthohive_spark.randomness import Floats, Ints
from synthohive_spark.schema.conversion import Mask

ROUNDS = 32  # in which rows exchange by chance: of rows that fit one parent in five, one in a thousand is left
# Rows that one chain asks: among 8 as many rows found one as among 64, in a quarter of the time; the rest look far.
NEAR, FAR = 8, 64
LOOKED_AT = 1_024  # rows that one chain may run through: of 15,409 all helped no more, in three times as long
ENDS = 4  # rows that may end it: others would fail for the same kin
FAILED = 64  # rows in a row that no chain helps: then parents are short


@dataclass(frozen=True)
class Fit:
    """Which parents a row may have.

    Attributes:
        needs: what each row asks for, order by order, shape (orders, rows); a parent must not have less.
        has: what each parent has, shape (orders, parents).
        strict: whether it must have more, shape (orders,).
        parent: code of each parent, shape (parents,): it may have come several times.
        unlike: codes of parents that each row must not have, shape (others, rows).
        kin: code of each row, shape (rows,): rows of one code must have different parents; None where they need not.
        group: code of each row, shape (rows,): only rows of one code exchange; below 0 for rows that keep theirs.
        once: no parent has two rows.
    """

    needs: Floats
    has: Floats
    strict: Mask
    parent: Ints
    unlike: Ints
    kin: Ints | None
    group: Ints
    once: bool = False

    def allows(self, rows: Ints, parents: Ints) -> Mask:
        """Whether rows may have parents, but for what their kin have; shape of the two together."""
        needs, has, strict = self.needs[:, rows], self.has[:, parents], self.strict[:, None]
        fits = np.where(strict, needs < has, needs <= has).all(axis=0)
        found: Mask = fits & (self.unlike[:, rows] != self.parent[parents]).all(axis=0)
        return found

    def held(self, rows: Ints, parents: Ints) -> Ints:
        """A code for each row's kin with a parent, shape of the two together."""
        own = np.zeros(len(self.group), np.int64) if self.kin is None else self.kin
        return own[rows] * (int(self.parent.max(initial=0)) + 1) + self.parent[parents]


def deal_fitting(dealt: Ints, fit: Fit, rng: np.random.Generator) -> Ints:
    """Parents exchanged between rows, so that each row has one that it may have.

    At first rows exchange with others that chance names, all at once; then each one that is left looks for a row with
    which it can exchange, or for a chain of rows of which each takes the parent of the next one: an augmenting path, as
    in maximum bipartite matching (Berge, 1957). A row that nobody can help takes a parent that others have as well: a
    section that begins before most students came cannot have as many of them as its number of children says, and it is
    that number which gives way.

    Args:
        dealt: parent of each row, shape (rows,); -1 for none.
        fit: which parents a row may have.
        rng: chooses with whom a row exchanges.

    Returns:
        The parent of each row.
    """
    exchange = _Exchange(dealt.copy(), np.flatnonzero((dealt >= 0) & (fit.group >= 0)), fit, rng)
    exchange.by_chance()
    exchange.one_by_one()
    return exchange.made


@dataclass(frozen=True)
class _Exchange:
    """Parents on the move.

    Attributes:
        made: parent of each row, shape (rows,); it changes.
        rows: those that may exchange.
        fit: which parents a row may have.
        rng: chooses.
    """

    made: Ints
    rows: Ints
    fit: Fit
    rng: np.random.Generator

    @property
    def unfit(self) -> Ints:
        """Rows with parents that they must not have."""
        return self.rows[~self.fit.allows(self.rows, self.made[self.rows])]

    def by_chance(self) -> None:
        """Rows that do not fit try such that do."""
        for _ in range(ROUNDS):
            bad = self.unfit
            others = np.setdiff1d(self.rows, bad, assume_unique=True)
            pairs = min(len(bad), len(others))
            if not pairs or not self._pairs(self.rng.permutation(bad)[:pairs], self.rng.permutation(others)[:pairs]):
                break

    def one_by_one(self) -> None:
        """Rows that are left look for a row or a chain, first near, then far; what nobody can help takes a parent."""
        for steps in (NEAR, FAR):
            failed = 0
            for row in self.unfit.tolist():
                if failed < FAILED and not self.fit.allows(np.array([row]), self.made[[row]])[0]:
                    failed = 0 if self._chain(row, steps) else failed + 1
        for row in [] if self.fit.once else self.unfit.tolist():
            self._take(row)

    def _pairs(self, one: Ints, other: Ints) -> int:
        """Exchange the parents of pairs of rows where both may have the other's; how many did."""
        fit, made = self.fit, self.made
        able = (fit.group[one] == fit.group[other]) & fit.allows(one, made[other]) & fit.allows(other, made[one])
        if fit.kin is not None:
            news = np.stack([fit.held(one, made[other]), fit.held(other, made[one])])
            had = np.flatnonzero(made >= 0)
            able &= ~np.isin(news, fit.held(had, made[had])).any(axis=0)
            _, where, often = np.unique(news, return_inverse=True, return_counts=True)
            able &= (often[where.reshape(news.shape)] == 1).all(axis=0)
        one, other = one[able], other[able]
        made[one], made[other] = made[other], made[one]
        return len(one)

    def _chain(self, row: int, steps: int) -> bool:
        """Give a row a parent that it may have, by a short chain of rows of which the last one takes the row's."""
        fit, made = self.fit, self.made
        rows = self.rows[fit.group[self.rows] == fit.group[row]]
        rows = rows if len(rows) <= LOOKED_AT else self.rng.choice(rows, LOOKED_AT, replace=False)
        closing = fit.allows(rows, made[[row]]) & ~self._have(rows, int(made[row]))
        before, queue = {row: row}, [row]
        for step in range(steps):
            if step == len(queue):
                break
            reached = fit.allows(np.array([queue[step]]), made[rows]) & ~self._held_by_kin(queue[step], made[rows])
            ends = [r for r in self.rng.permutation(rows[reached & closing]).tolist() if r not in before]
            for end in ends[:ENDS]:
                chain = [end, queue[step]]
                while chain[-1] != row:
                    chain.append(before[chain[-1]])
                if self._shift(np.array(chain[::-1])):
                    return True
            fresh = [r for r in self.rng.permutation(rows[reached])[:steps].tolist() if r not in before]
            before |= dict.fromkeys(fresh, queue[step])
            queue += fresh
        return False

    def _held_by_kin(self, row: int, parents: Ints) -> Mask:
        """Which parents a row's kin have, shape (parents,)."""
        if self.fit.kin is None:
            return np.zeros(len(parents), bool)
        kin = self._kin_of(np.array([row]))
        held: Mask = np.isin(self.fit.parent[parents], self.fit.parent[self.made[kin]])
        return held

    def _have(self, rows: Ints, parent: int) -> Mask:
        """Which rows have a parent, or kin that have it."""
        kin = self.fit.kin
        if kin is None:
            return np.zeros(len(rows), bool)
        have = (self.made >= 0) & (self.fit.parent[self.made] == self.fit.parent[parent])
        found: Mask = np.isin(kin[rows], kin[have])
        return found

    def _kin_of(self, rows: Ints) -> Ints:
        """Rows of the families of some rows, these too, that have a parent."""
        assert self.fit.kin is not None
        order, kin = self._families
        wanted = np.unique(self.fit.kin[rows])
        begin, end = np.searchsorted(kin, wanted), np.searchsorted(kin, wanted, side="right")
        found = np.concatenate([order[b:e] for b, e in zip(begin, end, strict=True)])
        there: Ints = found[self.made[found] >= 0]
        return there

    @functools.cached_property
    def _families(self) -> tuple[Ints, Ints]:
        """Rows in the order of their families, and the families in that order."""
        assert self.fit.kin is not None
        order = np.argsort(self.fit.kin, kind="stable")
        return order, self.fit.kin[order]

    def _take(self, row: int) -> None:
        """Give a row one of the parents of others as well, if there is one that it may have."""
        fit, made = self.fit, self.made
        able = made[self.rows[fit.group[self.rows] == fit.group[row]]]
        able = able[fit.allows(np.array([row]), able)]
        able = able[~self._held_by_kin(row, able)]
        if len(able):
            made[row] = able[int(self.rng.integers(len(able)))]

    def _shift(self, chain: Ints) -> bool:
        """Each row of a chain takes the parent of the next one, the last that of the first, if kin have none twice."""
        fit, made = self.fit, self.made
        old = made[chain]
        made[chain] = np.roll(old, -1)
        if fit.kin is None:
            return True
        kin = self._kin_of(chain)
        held = fit.held(kin, made[kin])
        if len(np.unique(held)) == len(held):
            return True
        made[chain] = old
        return False
