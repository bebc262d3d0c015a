"""YAML and JSON that people write: UTF-8, each key once, nothing that only half loads."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml


class _Once(yaml.SafeLoader):
    """Refuses a key that a mapping has already; YAML itself keeps the last one without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and not key.tag.endswith(":merge"):
                named = (key.tag, key.value)
                if named in seen:
                    at = key.start_mark
                    raise ValueError(f"line {at.line + 1}: the key {key.value!r} is there twice; keep one of them")
                seen.add(named)
        return super().construct_mapping(node, deep)


def yaml_value(text: str) -> Any:
    """The value of a YAML text; JSON is YAML too.

    Raises:
        ValueError: it is malformed, nested too deeply, or has a key twice.
    """
    try:
        return yaml.load(text, _Once)  # a SafeLoader: it makes no objects but plain values
    except yaml.YAMLError as e:
        raise ValueError(f"it is not YAML: {e}") from e
    except RecursionError as e:
        raise ValueError("it is nested too deeply") from e


def yaml_file(path: str | Path) -> Any:
    """The value of a YAML or JSON file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is malformed, no text, or has a key twice.
    """
    raw = Path(path).read_bytes()
    try:
        return yaml_value(raw.decode("utf-8-sig"))  # some editors begin a file with a mark of its encoding
    except UnicodeDecodeError as e:
        raise ValueError(f"byte {e.start + 1} is not UTF-8; save the file in that encoding") from e
