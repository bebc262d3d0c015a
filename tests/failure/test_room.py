"""Whether there is room is asked before the work. No Spark."""

from __future__ import annotations

from pathlib import Path

import pytest

from synthohive_spark.errors import WriteError
from synthohive_spark.lake.places import check_room
from synthohive_spark.location import Location


def test_a_target_without_room_is_refused_before_work(tmp_path: Path) -> None:
    check_room(Location(path=str(tmp_path / "not" / "there" / "yet")), 1000)
    check_room(Location(path="s3a://bucket/lake"), 10**18)
    check_room(Location(schema_name="a.b"), 10**18)
    with pytest.raises(WriteError, match="make room, name another target, or lower generate") as raised:
        check_room(Location(path=str(tmp_path / "lake")), 10**18)
    assert raised.value.exit_code == 5
