"""Personal data in words: the kinds that columns can be of, and what is done with them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import field_validator

from synthohive_spark.strict import Strict, nearest

Action = Literal["fake", "mask", "drop", "keep"]
# Personal whatever stands beside them.
PERSONAL = frozenset(
    [
        "email",
        "phone",
        "given_name",
        "family_name",
        "person",
        "street",
        "iban",
        "account",
        "card",
        "national_id",
        "birth_date",
        "user_name",
        "password",
        "ip",
        "mac",
    ]
)
STRONG = PERSONAL - {"birth_date"}  # kinds by which a key is personal
# Personal where the row is about somebody: a person, or a company that can be reached.
BESIDE_PEOPLE = frozenset({"company", "postal_code", "latitude", "longitude", "url", "extension", "text"})
OTHERS = frozenset(
    [
        "city",
        "region",
        "country",
        "gender",
        "courtesy",
        "job",
        "domain",
        "uuid",
        "hash",
        "code",
        "coded",
        "amount",
        "currency",
        "percentage",
        "category",
        "unknown",
    ]
)
KINDS = PERSONAL | BESIDE_PEOPLE | OTHERS


class PersonalColumn(Strict):
    """What is said of a personal column.

    Attributes:
        kind: what its values are, one of ``KINDS``; None where it is to be found.
        action: ``fake`` writes values that look like those of the kind, ``mask`` values of the same shape, ``drop``
            nulls; ``keep`` treats the column as any other. None where the configuration says it, or nobody.
    """

    kind: str | None = None
    action: Action | None = None

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str | None) -> str | None:
        unknown = unknown_kinds([kind] if kind is not None else [])
        if unknown:
            raise ValueError(unknown[0])
        return kind


def unknown_kinds(kinds: Iterable[str]) -> list[str]:
    """A line for each that is no kind of data."""
    return [f"{kind!r} is no kind of data; {nearest(kind, sorted(KINDS))}" for kind in kinds if kind not in KINDS]
