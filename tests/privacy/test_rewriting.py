"""Keyed hashes and functions of the user's in the place of fakes: what is refused before work. No Spark."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import pytest

from synthohive_spark.errors import ConfigError, GenerationError
from synthohive_spark.personal import UserFunction
from synthohive_spark.privacy.rewriting import check_actions, rewritten, secret_key

KEY = "a key of thirty-two bytes or more"


def initials(texts: list[str]) -> list[str]:
    return ["".join(word[0] for word in text.split()) for text in texts]


def loses_one(texts: list[str]) -> list[str]:
    return texts[1:]


def quotes(texts: list[str]) -> list[str]:
    raise ValueError(f"cannot read {texts[0]}")


def test_a_value_has_one_hash_and_another_key_another() -> None:
    texts = ["Ann Lee", None, "Bo Chan", "Ann Lee"]
    made = rewritten(texts, "hash", KEY.encode(), None, "t.c")
    assert made[0] == made[3] == hmac.new(KEY.encode(), b"Ann Lee", hashlib.sha256).hexdigest()
    assert made[1] is None
    assert len({*made}) == 3
    assert rewritten(texts, "hash", b"other", None, "t.c")[0] != made[0]
    assert rewritten(texts, "hash", KEY.encode(), 20, "t.c")[0] == made[0][:20]


def test_a_function_gets_fakes_and_gives_as_many() -> None:
    called = UserFunction(function=f"{__name__}:initials")
    assert rewritten(["Ann Lee", None, "Bo Chan"], called, b"", None, "t.c") == ["AL", None, "BC"]
    with pytest.raises(GenerationError, match="gave 1 values for 2"):
        rewritten(["Ann Lee", "Bo"], UserFunction(function=f"{__name__}:loses_one"), b"", None, "t.c")
    with pytest.raises(GenerationError, match=r"t\.c: function .*:quotes failed \(ValueError\)") as failed:
        rewritten(["Ann Lee"], UserFunction(function=f"{__name__}:quotes"), b"", None, "t.c")
    assert "Ann" not in str(failed.value)


def test_the_key_is_read_from_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HASH_KEY", KEY)
    (tmp_path / "key").write_text(f"{KEY}\n")
    assert secret_key("env:HASH_KEY") == secret_key(str(tmp_path / "key")) == KEY.encode()
    assert KEY not in f"{secret_key('env:HASH_KEY')!r} {[secret_key('env:HASH_KEY')]}"


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        (None, "set privacy.secret"),
        ("env:NO_SUCH_KEY", "the environment variable NO_SUCH_KEY holds nothing"),
        ("env:SHORT_KEY", "holds 5 bytes; a key has 16 bytes or more"),
        ("no/such/file", "the file no/such/file cannot be read"),
        ("/dev/zero", "cannot be read"),
    ],
)
def test_a_key_that_is_not_there_is_refused(secret: str | None, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHORT_KEY", "short")
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    with pytest.raises(ConfigError, match=words):
        check_actions(["mask", "hash"], secret)
    check_actions(["mask", "fake", None], secret)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no_such_module:f", "is not there"),
        (f"{__name__}:nothing", "is not there"),
        (f"{__name__}:KEY", "is no function but a str"),
    ],
)
def test_a_function_that_is_not_there_is_refused(name: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        check_actions([UserFunction(function=name)], None)
