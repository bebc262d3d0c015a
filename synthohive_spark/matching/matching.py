"""What is known of who goes with whom, as it is kept with the model and used when parents are assigned."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from synthohive_spark.matching.labels import Labels, RankedLabels, labels_of
from synthohive_spark.matching.meeting import Meeting
from synthohive_spark.untrusted import plain_json

MOST_BYTES = 64 * 2**20  # of the JSON text
LABEL = "~"  # the name under which context holds the cluster of a parent


def label_name(columns: tuple[str, ...]) -> str:
    """The context column that holds the cluster of the parent behind a key."""
    return f"{'+'.join(columns)}:{LABEL}"


@dataclass(frozen=True)
class Matcher:
    """What is known of one dealt key: how rows group, which clusters its parents fall into, how these meet.

    Attributes:
        meeting: of rows and clusters.
        parents: clusters of the dealt parents.
    """

    meeting: Meeting
    parents: Labels | RankedLabels

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"meeting": self.meeting.to_dict(), "parents": self.parents.to_dict()}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Matcher:
        """The inverse of ``to_dict``."""
        return cls(Meeting.from_dict(state["meeting"]), labels_of(state["parents"]))


@dataclass(frozen=True)
class Matching:
    """What is known of who goes with whom.

    Attributes:
        matchers: of the drawn keys, by position.
        drivers: clusters of the driving parents; None where attributes have to do.
        nulls: of rows and null patterns (``KeysPlan.patterns``); None where nothing tells which keys a row has.
    """

    matchers: dict[int, Matcher] = field(default_factory=dict)
    drivers: Labels | RankedLabels | None = None
    nulls: Meeting | None = None

    @property
    def shown(self) -> bool:
        """Whether the model sees the cluster of the driving parent."""
        return isinstance(self.drivers, RankedLabels)

    def pack(self) -> str:
        """As JSON text."""
        drivers, nulls = (part.to_dict() if part is not None else None for part in (self.drivers, self.nulls))
        matchers = {str(i): m.to_dict() for i, m in self.matchers.items()}
        return json.dumps({"matchers": matchers, "drivers": drivers, "nulls": nulls})

    @classmethod
    def unpack(cls, text: str) -> Matching:
        """The inverse of ``pack``; nothing is known where there is no text.

        Raises:
            KeyError, ValueError, TypeError: the text is of another version, or malformed.
        """
        if not text:
            return cls()
        state = plain_json(text, MOST_BYTES)
        drivers = labels_of(state["drivers"]) if state["drivers"] is not None else None
        nulls = Meeting.from_dict(state["nulls"]) if state["nulls"] is not None else None
        return cls({int(i): Matcher.from_dict(m) for i, m in state["matchers"].items()}, drivers, nulls)
