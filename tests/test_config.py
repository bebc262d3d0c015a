from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from synthohive_spark.config import Config, load_config
from synthohive_spark.errors import ConfigError, SchemaError

BASE: dict[str, Any] = {
    "source": {"path": "s"},
    "target": {"path": "t"},
    "workspace": {"path": "w"},
    "metadata": {"tables": {"T": {"primary_key": "id"}}},
}


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def to_file(**groups: Any) -> str:
        file = tmp_path / "run.yaml"
        file.write_text(yaml.safe_dump({**BASE, **groups}))
        return str(file)

    return to_file


def refused(file: str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as raised:
        load_config(file, overrides)
    assert raised.value.exit_code == 2
    return str(raised.value)


def test_every_default_is_filled_in(write: Any) -> None:
    config = load_config(write())
    assert (config.train.model, config.train.sample_rows, config.train.epochs) == ("ctgan", 200_000, None)
    assert (config.generate.on_write_failure, config.generate.write_retries, config.generate.scale) == ("raise", 1, 1.0)
    assert (config.privacy.k, config.privacy.keep_comments) == (5, False)
    assert config.evaluate.fail_under == 0.8
    assert list(config.metadata.tables) == ["T"]


def test_all_problems_come_in_one_error_with_the_nearest_key(write: Any) -> None:
    text = refused(
        write(
            train={"epoch": 3, "sample_rows": 0},
            genrate={},
            generate={"on_write_failure": "ignore"},
            target={"path": "t", "schema": "a.b"},
            source={},
        )
    )
    for line in (
        "train.epoch: unknown key; did you mean 'epochs'?",
        "genrate: unknown key; did you mean 'generate'?",
        "train.sample_rows: Input should be greater than 0 (got 0)",
        "generate.on_write_failure: Input should be 'raise', 'cleanup' or 'retry' (got 'ignore')",
        "target: Value error, give either path or schema",
        "source: Value error, give either path or schema",
    ):
        assert line in text, text


def test_actions_name_kinds_and_columns(write: Any) -> None:
    metadata = {"tables": {"T": {"primary_key": "id", "columns": {"id": "int", "fax": "string"}}}}
    config = load_config(
        write(metadata=metadata, privacy={"actions": {"phone": "mask", "fax": "drop", "T.id": "keep"}})
    )
    assert dict(config.privacy.actions) == {"phone": "mask", "fax": "drop", "T.id": "keep"}
    text = refused(write(metadata=metadata, privacy={"actions": {"phones": "mask"}}))
    assert "privacy.actions: 'phones' is neither a kind nor a column; did you mean 'phone'?" in text
    assert "privacy.actions.phone: Input should be" in refused(write(privacy={"actions": {"phone": "shred"}}))


def test_overrides_are_yaml_and_win(write: Any) -> None:
    file = write(train={"epochs": 5, "seed": 2})
    config = load_config(
        file,
        ["train.epochs=7", "generate.rows={T: 3}", "train.options.pac=4", "run=a night's run", "target={schema: c.s}"],
    )
    assert (config.train.epochs, config.train.seed, config.run) == (7, 2, "a night's run")
    assert config.generate.rows == {"T": 3}
    assert config.train.options == {"pac": 4}
    assert config.target.location.table("T").sql == "`c`.`s`.`T`"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epochs", "--set train.epochs: the form is a.b=value"),
        ("train.epoch=3", "train.epoch: unknown key; did you mean 'epochs'?"),
        ("run.name=x", "run is a value, not a group of keys"),
        ("generate.rows={U: 3}", "names unknown tables ['U']"),
        ("source.versions.V=3", "names unknown tables ['V']"),
    ],
)
def test_a_wrong_override_is_refused(write: Any, override: str, message: str) -> None:
    assert message in refused(write(run="r"), override)


@pytest.mark.parametrize("override", ["train.epochs=[1", "train.epochs='open"])
def test_an_override_that_is_not_yaml_is_refused(write: Any, override: str) -> None:
    assert override.split("=")[0] in refused(write(), override)


def test_a_group_without_values_takes_its_defaults(write: Any) -> None:
    assert load_config(write(train=None)).train.seed == 1
    assert load_config(write(train=None), ["train.epochs=2"]).train.epochs == 2


@pytest.mark.parametrize(("text", "message"), [("- a list", "a mapping is expected"), ("a: [", "is not YAML")])
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(text)
    assert message in refused(str(file))
    assert "give a file with --config" in refused(str(tmp_path / "absent.yaml"))


def test_metadata_is_checked_with_the_configuration(write: Any) -> None:
    with pytest.raises(SchemaError, match=r"nowhere\.json"):
        load_config(write(metadata="nowhere.json"))
    key = {"columns": ["x"], "references": "U", "referenced_columns": ["id"]}
    with pytest.raises(SchemaError, match="references table 'U', unknown"):
        load_config(write(metadata={"tables": {"T": {"foreign_keys": [key]}}}))


def test_the_digest_follows_what_may_change_a_row_and_nothing_else(write: Any) -> None:
    def digest(*overrides: str, **groups: Any) -> str:
        config: Config = load_config(write(**groups), overrides)
        return config.digest

    same = digest()
    assert digest("run=other", "target={path: elsewhere}", "source={schema: a.b}", "workspace={path: v}") == same
    assert digest("train.parallelism=1", "generate.on_write_failure=retry", "generate.write_retries=9") == same
    assert digest("evaluate.fail_under=0.1") == same
    changed = [
        digest("train.seed=2"),
        digest("generate.seed=2"),
        digest("generate.scale=2"),
        digest("train.epochs=3"),
        digest("privacy.k=9"),
        digest("train.options.pac=2"),
        digest("generate.conditions={T: {country: Germany}}"),
        digest(metadata={"tables": {"T": {"primary_key": "key"}}}),
    ]
    assert len({same, *changed}) == len(changed) + 1


def test_the_older_name_of_k_still_counts(write: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert load_config(write(), ["privacy={min_subjects: 9}"]).privacy.k == 9
    assert "privacy.k" in "".join(capsys.readouterr())
    assert "give k alone" in refused(write(), "privacy={min_subjects: 9, k: 2}")
