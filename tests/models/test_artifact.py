"""Models that are loaded: whatever is wrong with one, it is a SerializationError, within a gigabyte of memory."""

from __future__ import annotations

import hashlib
import io
import json
import resource
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save

from synthohive_spark.errors import SerializationError
from synthohive_spark.models.artifact import Artifact, check_models, pack, unpack
from synthohive_spark.models.autoregressive import AutoregressiveModel
from synthohive_spark.models.base import ConditionalGenerativeModel
from synthohive_spark.models.common.storage import HEADER_FILE, WEIGHTS_FILE
from synthohive_spark.models.ctgan import CTGAN

Change = Callable[[dict[str, bytes]], object]
MODELS: dict[str, tuple[type[ConditionalGenerativeModel], dict[str, Any]]] = {
    "autoregressive": (AutoregressiveModel, {"epochs": 1}),
    "ctgan": (CTGAN, {"epochs": 1, "embedding_dim": 8, "generator_dim": (8,), "discriminator_dim": (8,)}),
}


def trained(name: str) -> bytes:
    rng = np.random.default_rng(1)
    data = pd.DataFrame(
        {
            "size": rng.normal(5, 2, 200).round(2),
            "kind": rng.choice(["a", "b", "c"], 200),
            "day": pd.to_datetime("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, 200), "D"),
            "count": rng.integers(0, 900, 200),
        }
    )
    model_cls, options = MODELS[name]
    seen = pd.DataFrame({"region": rng.choice(["n", "s"], 200)})
    return pack(model_cls(None, **options).fit(data, context=seen, table_name="orders", seed=1))


@pytest.fixture(scope="module")
def packed() -> dict[str, bytes]:
    return {name: trained(name) for name in MODELS}


def files_of(model: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(model)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def header(**new: Any) -> Change:
    """Other fields of the header; None takes one away."""

    def change(files: dict[str, bytes]) -> None:
        state = {**json.loads(files[HEADER_FILE]), **new}
        files[HEADER_FILE] = json.dumps({k: v for k, v in state.items() if v is not None}).encode()

    return change


def column(**new: Any) -> Change:
    """Other fields of the first column's spec."""

    def change(files: dict[str, bytes]) -> None:
        state = json.loads(files[HEADER_FILE])
        state["columns"][0] |= new
        files[HEADER_FILE] = json.dumps(state).encode()

    return change


def scale(**new: Any) -> Change:
    def change(files: dict[str, bytes]) -> None:
        state = json.loads(files[HEADER_FILE])
        state["columns"][0]["scale"] |= new
        files[HEADER_FILE] = json.dumps(state).encode()

    return change


def option(**new: Any) -> Change:
    def change(files: dict[str, bytes]) -> None:
        state = json.loads(files[HEADER_FILE])
        state["options"] |= new
        files[HEADER_FILE] = json.dumps(state).encode()

    return change


def weights(act: Callable[[dict[str, torch.Tensor]], object]) -> Change:
    """Other tensors, with a hash that is theirs."""

    def change(files: dict[str, bytes]) -> None:
        tensors = load(files[WEIGHTS_FILE])
        act(tensors)
        signed(save(tensors))(files)

    return change


def signed(content: bytes) -> Change:
    def change(files: dict[str, bytes]) -> None:
        files[WEIGHTS_FILE] = content
        header(sha256=hashlib.sha256(content).hexdigest())(files)

    return change


def text(act: Callable[[str], str]) -> Change:
    def change(files: dict[str, bytes]) -> None:
        files[HEADER_FILE] = act(files[HEADER_FILE].decode()).encode()

    return change


def first(tensors: dict[str, torch.Tensor]) -> str:
    return max(tensors, key=lambda name: tensors[name].numel())


def crafted(dtype: str, shape: list[int], size: int) -> bytes:
    about = json.dumps({"shares": {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}}).encode()
    return len(about).to_bytes(8, "little") + about + bytes(min(size, 64))


CORRUPTIONS: dict[str, Change] = {
    "no header": lambda f: f.pop(HEADER_FILE),
    "no weights": lambda f: f.pop(WEIGHTS_FILE),
    "one file more": lambda f: f.update({"code.py": b"import os"}),
    "a file of another name": lambda f: f.update({"weights.bin": f.pop(WEIGHTS_FILE)}),
    "a file outside": lambda f: f.update({"../out": f.pop(WEIGHTS_FILE)}),
    "an absolute path": lambda f: f.update({"/tmp/out": f.pop(WEIGHTS_FILE)}),
    "a nested folder": lambda f: f.update({f"deep/{WEIGHTS_FILE}": f.pop(WEIGHTS_FILE)}),
    "a header that is no JSON": text(lambda t: t[: len(t) // 2]),
    "a header that is no UTF-8": lambda f: f.update({HEADER_FILE: b"\xff\xfe" + f[HEADER_FILE]}),
    "a header that is a list": text(lambda t: f"[{t}]"),
    "a header nested a million times": text(lambda t: "[" * 1_000_000),
    "a header of ten million items": text(lambda t: "[" + "0," * 10_000_000 + "0]"),
    "a header of forty megabytes": text(lambda t: t + " " * (40 * 2**20)),
    "a field twice": text(lambda t: t.replace("{", '{"model": "x",', 1)),
    "a NaN": text(lambda t: t.replace('"null_share": 0.0', '"null_share": NaN', 1)),
    "an infinity": text(lambda t: t.replace('"null_share": 0.0', '"null_share": 1e999', 1)),
    "another format": header(format=9),
    "a format that is a text": header(format="1"),
    "another model": header(model="other"),
    "no hash": header(sha256=None),
    "another hash": header(sha256="0" * 64),
    "no table": text(lambda t: t.replace('"table"', '"desk"')),
    "another table": header(table="customers"),
    "a table that is a number": header(table=7),
    "a field that nobody knows": header(extra=1),
    "no columns": header(columns=None),
    "columns that are a text": header(columns="abc"),
    "options that are a list": header(options=[1]),
    "an option that nobody knows": option(exec="os"),
    "an option of another type": option(min_count="many"),
    "a kind that nobody knows": column(kind="pickle"),
    "a spec with one field more": column(code="x"),
    "a name that is a number": column(name=3),
    "the name of another column": column(name="kind"),
    "a dtype that is none": column(dtype="os.system"),
    "a share that is a text": column(null_share="0.1"),
    "a share above one": column(null_share=3.0),
    "a scale that is a number": column(scale=1),
    "a scale of texts": scale(levels=["a", "b"]),
    "a scale that falls": scale(levels=[3.0, 2.0, 1.0], shares=[]),
    "a scale without all shares": scale(levels=[1.0, 2.0, 3.0], shares=[0.5]),
    "numbers of a billion digits": column(decimals=10**9),
    "weights cut short": lambda f: signed(f[WEIGHTS_FILE][:-5])(f),
    "weights that are empty": signed(b""),
    "weights with a header of exabytes": signed((2**63).to_bytes(8, "little") + b"{}"),
    "weights of a type that is not known": signed(crafted("F8_E4M3", [64], 64)),
    "weights of a billion numbers that are not there": signed(crafted("F32", [2**30], 2**32)),
    "weights with a NaN": weights(lambda t: t[first(t)].view(-1)[0].fill_(float("nan"))),
    "weights with an infinity": weights(lambda t: t[first(t)].view(-1)[0].fill_(float("inf"))),
    "a tensor under another name": weights(lambda t: t.update({"less": t.pop(first(t))})),
    "one tensor more": weights(lambda t: t.update(more=torch.zeros(3))),
    "a tensor of another shape": weights(lambda t: t.update({first(t): torch.zeros(3, 3)})),
    "weights flipped": lambda f: f.update({WEIGHTS_FILE: f[WEIGHTS_FILE][:-1] + bytes([f[WEIGHTS_FILE][-1] ^ 1])}),
}
OF_ONE: dict[str, dict[str, Change]] = {
    "autoregressive": {
        "a billion bins": header(resolution={"bins": 10**9, "pieces": 1, "repeated_pieces": 1}),
        "bins that are none": header(resolution={"bins": -1, "pieces": 1, "repeated_pieces": 1}),
        "heads that see what comes later": header(parents=[[3], [0], [0, 1], [0]]),
        "many more bins than weights": header(resolution={"bins": 2**19, "pieces": 1, "repeated_pieces": 1}),
    },
    "ctgan": {
        "a generator of a billion units": option(generator_dim=[10**9]),
        "a noise of a billion numbers": option(embedding_dim=10**9),
        "conditions that were not trained": option(conditional_sampling=True),
    },
}
CASES = [(m, c) for m in MODELS for c in (*CORRUPTIONS, *OF_ONE[m])]


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_two_files_that_name_their_table(packed: dict[str, bytes], name: str) -> None:
    files = files_of(packed[name])
    state = json.loads(files[HEADER_FILE])
    assert sorted(files) == sorted((HEADER_FILE, WEIGHTS_FILE))
    assert (state["table"], state["sha256"]) == ("orders", hashlib.sha256(files[WEIGHTS_FILE]).hexdigest())
    model = unpack(MODELS[name][0], packed[name], "orders")
    assert pack(model) == packed[name], "and it is what was saved"
    check_models(MODELS[name][0], {"orders": Artifact(packed[name]), "keys alone": Artifact()})


@pytest.mark.parametrize(("name", "corruption"), CASES)
def test_a_corrupt_model_is_told_with_its_table_and_a_way_out(
    packed: dict[str, bytes], name: str, corruption: str
) -> None:
    files = files_of(packed[name])
    ({**CORRUPTIONS, **OF_ONE[name]})[corruption](files)
    with pytest.raises(SerializationError, match=r"^orders: .*(train|restore|load it|give)") as told:
        unpack(MODELS[name][0], zipped(files), "orders")
    assert "/tmp/tmp" not in f"{told.value}", "where it was unpacked says nothing"


def link(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(HEADER_FILE, files[HEADER_FILE])
        info = zipfile.ZipInfo(WEIGHTS_FILE)
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    return buffer.getvalue()


def doubled(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(HEADER_FILE, files[HEADER_FILE])
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr(HEADER_FILE, files[HEADER_FILE])
    return buffer.getvalue()


def bomb(files: dict[str, bytes]) -> bytes:
    return zipped({**files, WEIGHTS_FILE: bytes(64 * 2**20)}, zipfile.ZIP_DEFLATED)


def lying(files: dict[str, bytes]) -> bytes:
    """An archive whose directory says that a file is larger than the archive."""
    made = bytearray(zipped(files))
    at = made.rindex(b"PK\x01\x02")
    for place in (20, 24):  # both sizes of the last entry
        made[at + place : at + place + 4] = (2**31).to_bytes(4, "little")
    return bytes(made)


ARCHIVES: dict[str, Callable[[dict[str, bytes]], bytes]] = {
    "a link": link,
    "a file twice": doubled,
    "a bomb": bomb,
    "no archive": lambda files: b"PK" + bytes(100),
    "nothing": lambda files: b"",
    "half of one": lambda files: zipped(files)[: len(zipped(files)) // 2],
    "no files": lambda files: zipped({}),
    "sizes that lie": lying,
    "an archive in an archive": lambda files: zipped({"model.zip": zipped(files)}),
}


@pytest.mark.parametrize("archive", ARCHIVES)
def test_an_archive_of_tricks_is_refused(packed: dict[str, bytes], archive: str) -> None:
    made = ARCHIVES[archive](files_of(packed["ctgan"]))
    with pytest.raises(SerializationError, match=r"^orders: the packed model is damaged: .*train the table again"):
        unpack(CTGAN, made, "orders")


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_bytes_changed_at_random_are_read_or_refused(packed: dict[str, bytes], name: str, data: st.DataObject) -> None:
    files = files_of(packed[name])
    content = bytearray(files[HEADER_FILE])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    files[HEADER_FILE] = bytes(content)
    try:
        model = unpack(MODELS[name][0], zipped(files), "orders")
    except SerializationError:
        return
    assert len(model.sample(3, context=pd.DataFrame({"region": ["n", "s", "x"]}), seed=1)) == 3


def test_links_are_not_followed_from_a_folder(packed: dict[str, bytes], tmp_path: Path) -> None:
    files = files_of(packed["ctgan"])
    (tmp_path / "elsewhere").write_bytes(files[WEIGHTS_FILE])
    (tmp_path / HEADER_FILE).write_bytes(files[HEADER_FILE])
    (tmp_path / WEIGHTS_FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SerializationError, match="is a link, a folder or a device"):
        CTGAN.load(tmp_path)


LIMITED = """
import json, resource, sys
from pathlib import Path
from synthohive_spark.errors import SerializationError
from synthohive_spark.models.artifact import unpack
from synthohive_spark.models.autoregressive import AutoregressiveModel
from synthohive_spark.models.ctgan import CTGAN
lines = Path("/proc/self/status").read_text().splitlines()
used = 1024 * int(next(line for line in lines if line.startswith("VmData")).split()[1])
resource.setrlimit(resource.RLIMIT_DATA, (used + 800 * 2**20, used + 800 * 2**20))
for file in sorted(Path(sys.argv[1]).iterdir()):
    model = CTGAN if file.name.startswith("ctgan") else AutoregressiveModel
    try:
        unpack(model, file.read_bytes(), "orders")
    except SerializationError:
        continue
    sys.exit(f"{file.name} was read")
most = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(int(most.split()[1]) // 1024)  # not ru_maxrss, which a process begins with at that of its parent
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_DATA"), reason="the system has no limit of memory for a process")
def test_no_corrupt_model_takes_a_gigabyte(packed: dict[str, bytes], tmp_path: Path) -> None:
    for n, (name, corruption) in enumerate(CASES):
        files = files_of(packed[name])
        ({**CORRUPTIONS, **OF_ONE[name]})[corruption](files)
        (tmp_path / f"{name}-{n}").write_bytes(zipped(files))
    for n, (_, archive) in enumerate(ARCHIVES.items()):
        (tmp_path / f"ctgan-archive-{n}").write_bytes(archive(files_of(packed["ctgan"])))
    done = subprocess.run([sys.executable, "-c", LIMITED, f"{tmp_path}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr[-2000:])
    assert int(done.stdout) < 1024, "megabytes"
