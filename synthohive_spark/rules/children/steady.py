"""Which laws of a row still hold when columns that the model drew become what its children say."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from synthohive_spark.rules.choose import Choice, choose
from synthohive_spark.rules.kind import KINDS, Law
from synthohive_spark.rules.value_kind import ValueKind


def steady(
    laws: Sequence[Law],
    given: Collection[str],
    taken: Mapping[str, Collection[str]],
    later: Mapping[str, Collection[str]],
) -> tuple[Choice, list[Law]]:
    """A consistent set of laws that give values (``choose``), and the laws among which others may look.

    What follows from such a column on every row is computed once more with it; other laws that name one, or what
    follows from it, would hold for the value that was drawn.

    Args:
        laws: verified ones.
        given: as ``choose`` takes it.
        taken: as ``choose`` takes it.
        later: {id of a column that is an aggregate of children: ids of own columns that it builds on}.
    """
    known = [law for law in laws if law.target not in later and _follows(law, {*later})]
    while True:
        choice = choose(known, given, {**taken, **later})
        changed = _changed({*later}, choice.values)
        broken = [law for law in choice.values.values() if not _follows(law, changed)]
        if not broken:
            break
        known = [law for law in known if law not in broken]
    order = [c for c in choice.order if c not in later]
    moved = changed - {t for t, law in choice.values.items() if _is_renewed(law)}  # the others are null where they were
    kept = [law for law in known if law in choice.values.values() or _stays(law, changed, moved)]
    return Choice(choice.values, order, choice.after), kept


def lost(laws: Sequence[Law], later: Collection[str]) -> list[Law]:
    """Laws of other columns that fall when some columns become what children say, and that no like one replaces.

    Args:
        laws: verified ones.
        later: ids of such columns.
    """
    kept = {(law.target, law.kind) for law in laws if _follows(law, later)}
    firm = (law for law in laws if law.target not in later and (law.target, law.kind) not in kept)
    return [law for law in firm if not _follows(law, later)]


def _stays(law: Law, changed: Collection[str], moved: Collection[str]) -> bool:
    """Whether others may look at a law though columns change, and of some of these also where they are null."""
    kind = KINDS[law.kind]
    if law.target in (moved if kind.tells_nulls else changed):
        return _says_usual(law)
    return _follows(law, moved if kind.asks_nulls else changed)


def _is_renewed(law: Law) -> bool:
    kind = KINDS[law.kind]
    return isinstance(kind, ValueKind) and kind.renewed


def _says_usual(law: Law) -> bool:
    return not KINDS[law.kind].verified


def _follows(law: Law, changed: Collection[str]) -> bool:
    """Whether a law can be kept when columns change: it names none, or gives its column anew on every row."""
    if _says_usual(law) or not {*law.inputs} & {*changed}:
        return True
    return isinstance(KINDS[law.kind], ValueKind) and (law.reach == "whole" or _is_renewed(law))


def _changed(later: set[str], values: Mapping[str, Law]) -> set[str]:
    """The columns, and all that follows from them."""
    changed = set(later)
    while more := {t for t, law in values.items() if t not in changed and changed.intersection(law.inputs)}:
        changed |= more
    return changed
