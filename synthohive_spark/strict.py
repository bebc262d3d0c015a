"""The base of every model that reads a file: frozen, unknown keys refused, all problems at once."""

from __future__ import annotations

import difflib
import types
from collections.abc import Mapping, Sequence
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError


class Strict(BaseModel):
    """A frozen pydantic model that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def nearest(word: str, known: Sequence[str]) -> str:
    """A remedy for an unknown word: the nearest known one, else the list of them."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted(known))}"


def _model_at(model: type[BaseModel], place: Sequence[str | int]) -> type[BaseModel] | None:
    """The pydantic model that holds the key at the end of ``place`` (followed through dicts, lists and unions)."""
    here: Any = model
    for step in place:
        if isinstance(here, type) and issubclass(here, BaseModel):
            fields = {f.alias or n: f for n, f in here.model_fields.items()}
            here = fields[step].annotation if step in fields else None
        else:
            arguments = [a for a in get_args(here) if a not in (type(None), Ellipsis)]
            here = arguments[-1] if arguments else None
        while get_origin(here) in (Union, types.UnionType):
            here = next((a for a in get_args(here) if a is not type(None)), None)
    return here if isinstance(here, type) and issubclass(here, BaseModel) else None


def problems(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Every problem of a pydantic error as a line: its place, what is wrong, the nearest known key."""
    lines = []
    for e in error.errors():
        place = ".".join(str(x) for x in e["loc"]) or "(top)"
        if e["type"] == "extra_forbidden":
            owner = _model_at(model, e["loc"][:-1])
            known = [f.alias or n for n, f in owner.model_fields.items()] if owner else []
            hint = f"; {nearest(str(e['loc'][-1]), known)}" if known else ""
            lines.append(f"{place}: unknown key{hint}")
        else:
            got = "" if isinstance(e["input"], Mapping) else f" (got {e['input']!r})"
            lines.append(f"{place}: {e['msg']}{got}")
    return lines
