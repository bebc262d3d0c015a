"""Good configurations, made wrong: a value replaced, removed, doubled or wrapped, or bytes of the file changed."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

ODD = st.sampled_from(
    [
        None,
        5,
        -1,
        0,
        2**70,
        -(2**70),
        0.5,
        float("inf"),
        float("nan"),
        True,
        "",
        " ",
        "a/b",
        "..",
        "\0",
        "\x07",
        "ä" * 300,
        "s3a://bucket/x",
        "1; drop table t",
        [],
        {},
        [[]],
        [None],
        ["id", "id"],
        {"a": {"b": []}},
        {"columns": []},
        [{"columns": [], "references": "users", "referenced_columns": []}],
    ]
)
METADATA: dict[str, Any] = {
    "tables": {
        "users": {
            "primary_key": "id",
            "columns": {"id": "bigint", "region": "string", "born": "date"},
            "constraints": [{"column": "born", "min": "1900-01-01", "max": "2030-01-01"}],
            "pii": ["region"],
        },
        "orders": {
            "primary_key": ["order_id"],
            "columns": {"order_id": "bigint", "user_id": "bigint", "amount": "double", "paid": "double"},
            "foreign_keys": [
                {"columns": ["user_id"], "references": "users", "referenced_columns": ["id"], "nullable": True}
            ],
            "constraints": [{"column": "amount", "min": 0, "max": 10}, {"expression": "paid <= amount"}],
            "derived": {"paid": "amount * 2"},
            "rules": {"copy.paid": "off"},
        },
    }
}


def configuration(folder: str) -> dict[str, Any]:
    """A configuration in which nothing is wrong."""
    places = {p: {"path": f"{folder}/{p}"} for p in ("source", "target", "workspace")}
    return {
        "run": "t",
        **places,
        "metadata": METADATA,
        "train": {"model": "ctgan", "epochs": 1, "sample_rows": 100, "options": {"pac": 1}},
        "generate": {"scale": 1.0, "rows": {"users": 3}, "on_write_failure": "raise"},
        "privacy": {"k": 3},
        "evaluate": {"fail_under": {"columns": 0.5}},
    }


def places(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a tree."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*here, key)
        yield from places(inner, (*here, key))


@st.composite
def mutated(draw: st.DrawFn, folder: str) -> bytes:
    """The file of a configuration with one to three mutations."""
    tree = copy.deepcopy(configuration(folder))
    for _ in range(draw(st.integers(1, 3))):
        known = list(places(tree))
        place = draw(st.sampled_from(known))
        holder: Any = tree
        for step in place[:-1]:
            holder = holder[step]
        how = draw(st.sampled_from(["replace", "replace", "remove", "rename", "wrap"]))
        if how == "remove":
            del holder[place[-1]]
        elif how == "rename" and isinstance(holder, dict):
            holder[f"{place[-1]}s"] = holder.pop(place[-1])
        elif how == "wrap":
            holder[place[-1]] = [holder[place[-1]]]
        else:
            holder[place[-1]] = draw(ODD)
    text = json.dumps(tree, indent=1).encode()
    if draw(st.integers(0, 4)) == 0:
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.binary(max_size=4)) + text[at + draw(st.integers(0, 3)) :]
    if draw(st.integers(0, 4)) == 0:
        lines = text.splitlines(keepends=True)
        twice = draw(st.integers(0, len(lines) - 1))
        text = b"".join([*lines[: twice + 1], lines[twice], *lines[twice + 1 :]])
    return text
