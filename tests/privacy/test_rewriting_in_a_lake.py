"""Hashes and a user's function through a run: joins hold, the key is nowhere, what is missing stops before work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from synthohive_spark import Metadata, Synthesizer
from synthohive_spark.config import Privacy
from synthohive_spark.errors import ConfigError, SchemaValidationError, SerializationError
from synthohive_spark.personal import UserFunction
from tests.lakes import write_lake
from tests.shuffle import ColumnShuffle

pytestmark = pytest.mark.spark
ROWS, KEY = 90, "the-key-of-this-test-4711"
GIVEN = ["Anna", "Peter", "Maria", "John", "Laura", "Thomas", "Julia", "Michael", "Sarah"]
FAMILY = ["Weber", "Smith", "Rossi", "Novak", "Silva", "Larsen", "Dubois", "Garcia", "Kowalski", "Taylor"]


def shouted(texts: list[str]) -> list[str]:
    return [text.upper() + "!" for text in texts]


SHOUTED = UserFunction(function=f"{__name__}:shouted")
METADATA: dict[str, Any] = {
    "customers": {
        "primary_key": "id",
        "pii": {"mail": {"kind": "email", "action": "hash"}, "name": {"action": SHOUTED.model_dump()}},
    },
    "orders": {
        "primary_key": "no",
        "foreign_keys": [{"columns": ["customer"], "references": "customers", "referenced_columns": ["id"]}],
        "pii": {"sent_to": {"kind": "email", "action": "hash"}},
    },
}


def tables() -> dict[str, pd.DataFrame]:
    names = [f"{GIVEN[i % 9]} {FAMILY[i // 9]}" for i in range(ROWS)]
    mails = [f"{n.replace(' ', '.').lower()}@corp.test" for n in names]
    owner = [(i * 7) % ROWS for i in range(2 * ROWS)]
    return {
        "customers": pd.DataFrame({"id": range(1, ROWS + 1), "name": names, "mail": mails}),
        "orders": pd.DataFrame(
            {"no": range(2 * ROWS), "customer": [i + 1 for i in owner], "sent_to": [mails[i] for i in owner]}
        ),
    }


def test_hashes_join_and_the_key_is_nowhere(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HASH_KEY", KEY)
    real, metadata = tables(), Metadata.load({"tables": METADATA})
    paths = write_lake(spark, tmp_path / "source", real)
    made = Synthesizer(metadata, spark, ColumnShuffle, Privacy(secret="env:HASH_KEY")).fit(paths)
    made.save(tmp_path / "saved")
    with pytest.raises(SerializationError, match="shouted"):
        Synthesizer.load(tmp_path / "saved", spark, ColumnShuffle)
    again = Synthesizer.load(tmp_path / "saved", spark, ColumnShuffle, metadata)
    copies = {t: f.toPandas() for t, f in again.sample(output_path=str(tmp_path / "target")).items()}
    customers, orders = copies["customers"], copies["orders"]
    assert customers["mail"].str.fullmatch("[0-9a-f]{64}").all()
    assert customers["mail"].is_unique
    joined = orders.merge(customers, left_on="sent_to", right_on="mail")
    assert len(joined) == len(orders)
    assert (joined["customer"] == joined["id"]).all()
    assert customers["name"].str.fullmatch(r"[^a-z]+!").all()
    assert not set(customers["name"]) & {n.upper() + "!" for n in real["customers"]["name"]}
    written = [p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()]
    said = capsys.readouterr()
    assert not any(KEY.encode() in body for body in [*written, said.out.encode(), said.err.encode()])
    assert "env:HASH_KEY" in json.dumps(json.loads((tmp_path / "saved" / "synthesizer.json").read_text()))
    monkeypatch.delenv("HASH_KEY")
    with pytest.raises(ConfigError, match="HASH_KEY holds nothing"):
        again.sample(output_path=str(tmp_path / "other"))
    with pytest.raises(ConfigError, match="HASH_KEY holds nothing"):
        made.fit(paths)
    monkeypatch.setenv("HASH_KEY", KEY)
    keys = Metadata.load({"tables": {"customers": {"primary_key": "id", "pii": {"id": {"action": "hash"}}}}})
    with pytest.raises(SchemaValidationError, match=r"customers\.id: a key, which is made anew"):
        Synthesizer(keys, spark, ColumnShuffle, Privacy(secret="env:HASH_KEY")).fit({"customers": paths["customers"]})
