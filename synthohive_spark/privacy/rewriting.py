"""What is written in the place of fakes: keyed hashes, and what a user's own function makes of them.

The key is read from where its reference says, by the driver, and is in no plan, log or table. No real value is hashed:
whoever has the key finds nobody.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from synthohive_spark.errors import ConfigError, GenerationError
from synthohive_spark.personal import Action, UserFunction
from synthohive_spark.untrusted import plain_bytes

ENVIRONMENT = "env:"  # before the name of a variable; else a reference is the path of a file
SHORTEST, LARGEST = 16, 4_096  # bytes of a key: NIST SP 800-107 asks for 112 bits at least
NARROWEST = 16  # characters of a hash: a column of fewer has two alike among some thousands of rows


class Secret(bytes):
    """A key that no message, log or traceback shows."""

    def __repr__(self) -> str:
        return "Secret"


def check_actions(actions: Iterable[Action | None], secret: str | None) -> None:
    """Whether what the actions need is there: the key of hashes, the functions.

    Raises:
        ConfigError: with what is missing, and the way out.
    """
    wanted = [*actions]
    if "hash" in wanted:
        secret_key(secret)
    for action in wanted:
        if isinstance(action, UserFunction):
            user_function(action.function)


def secret_key(reference: str | None) -> Secret:
    """The key that a reference names.

    Args:
        reference: ``env:NAME``, or the path of a file.

    Raises:
        ConfigError: there is none, or it is too short.
    """
    if not reference:
        raise ConfigError("action hash needs a key: set privacy.secret to env:NAME, or to the path of a file with it")
    if reference.startswith(ENVIRONMENT):
        name = reference.removeprefix(ENVIRONMENT)
        key, where = os.environ.get(name, "").encode(), f"the environment variable {name}"
    else:
        where = f"the file {reference}"
        try:
            key = plain_bytes(Path(reference), LARGEST).strip()
        except (OSError, ValueError) as e:
            raise ConfigError(f"privacy.secret: {where} cannot be read ({type(e).__name__}); mend the path") from e
    if len(key) < SHORTEST:
        found = f"holds {len(key)} bytes" if key else "holds nothing"
        raise ConfigError(f"privacy.secret: {where} {found}; a key has {SHORTEST} bytes or more")
    return Secret(key)


def user_function(reference: str) -> Callable[[list[str]], Sequence[Any]]:
    """The function that a reference names.

    Raises:
        ConfigError: there is none.
    """
    module, _, name = reference.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as e:
        remedy = "put its module on the Python path of the driver and of the workers (--py-files)"
        raise ConfigError(f"function {reference} is not there ({type(e).__name__}); {remedy}") from e
    if not callable(found):
        raise ConfigError(f"function {reference} is no function but a {type(found).__name__}; name a function")
    made: Callable[[list[str]], Sequence[Any]] = found
    return made


def rewritten(texts: Sequence[str | None], action: Action, key: bytes, width: int | None, place: str) -> list[Any]:
    """What is written instead of fakes; nulls stay.

    Args:
        texts: the fakes.
        action: ``hash``, or a function.
        key: of the hashes.
        width: characters that the column holds; None for any number.
        place: table and column, for messages.

    Raises:
        GenerationError: the function failed, or gave another number of values.
    """
    known = [t for t in texts if t is not None]
    if isinstance(action, UserFunction):
        made = iter(_called(action.function, known, place))
    else:
        made = iter(hmac.new(key, t.encode(), hashlib.sha256).hexdigest()[:width] for t in known)
    return [None if t is None else next(made) for t in texts]


def _called(reference: str, texts: list[str], place: str) -> list[Any]:
    try:
        made = list(user_function(reference)(texts))
    except Exception as e:  # whatever a user's function raises, which may quote a value
        raise GenerationError(f"{place}: function {reference} failed ({type(e).__name__}); mend it") from None
    if len(made) != len(texts):
        raise GenerationError(
            f"{place}: function {reference} gave {len(made)} values for {len(texts)}; it gets a list of texts and "
            "returns as many"
        )
    return made
