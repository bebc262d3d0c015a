"""Personal data in words: the kinds that columns can be of, and what is done with them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, field_validator
from pydantic_core import PydanticCustomError

from synthohive_spark.strict import Strict, nearest

FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


class UserFunction(Strict):
    """What a user's own function makes of fakes.

    Attributes:
        function: ``package.module:name``.
    """

    function: str


def _action(said: Any) -> Any:
    if isinstance(said, Mapping) and {*said} == {"function"} and isinstance(said["function"], str):
        said = UserFunction.model_construct(function=said["function"])
    if isinstance(said, UserFunction) and FUNCTION.fullmatch(said.function) is None:
        raise PydanticCustomError("action", "Input should be {{function: 'package.module:name'}}")
    if not isinstance(said, UserFunction) and said not in ACTIONS:
        known = ", ".join(map(repr, ACTIONS))
        raise PydanticCustomError("action", f"Input should be {known} or {{{{function: 'package.module:name'}}}}")
    return said


ACTIONS = ("fake", "mask", "drop", "keep", "hash")
Action = Annotated[Literal["fake", "mask", "drop", "keep", "hash"] | UserFunction, BeforeValidator(_action)]
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
        action: ``fake`` writes values that look like those of the kind, ``mask`` values of the same shape, ``hash``
            keyed hashes of fakes, ``drop`` nulls, a function what it makes of fakes; ``keep`` treats the column as any
            other. None where the configuration says it, or nobody.
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


def is_rewritten(action: Action) -> bool:
    """Whether fakes are made, and something else is written in their place."""
    return action == "hash" or isinstance(action, UserFunction)


def is_faked(action: Action) -> bool:
    """Whether fakes are made for a column, whatever is written in their place."""
    return action == "fake" or is_rewritten(action)


def functions_of(actions: Iterable[Action]) -> frozenset[str]:
    """The user's functions among some actions."""
    return frozenset(action.function for action in actions if isinstance(action, UserFunction))


def in_short(action: Action) -> str:
    """An action in a word or two."""
    return f"function {action.function}" if isinstance(action, UserFunction) else action


def unknown_kinds(kinds: Iterable[str]) -> list[str]:
    """A line for each that is no kind of data."""
    return [f"{kind!r} is no kind of data; {nearest(kind, sorted(KINDS))}" for kind in kinds if kind not in KINDS]
