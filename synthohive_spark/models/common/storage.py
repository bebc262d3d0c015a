"""Models on disk: a folder with ``model.json`` and ``weights.safetensors``. Neither can carry code.

What is read may have been written by somebody else: sizes, types and numbers are checked before memory is taken, and
the header names the table and the SHA-256 of the weights.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from synthohive_spark.errors import SerializationError
from synthohive_spark.untrusted import MALFORMED, plain_bytes, plain_json

HEADER_FILE = "model.json"
WEIGHTS_FILE = "weights.safetensors"
FORMAT_VERSION = 1  # of the files; another one is refused
MOST_HEADER, MOST_WEIGHTS = 32 * 2**20, 192 * 2**20  # bytes; models have a few millions
MOST_TENSORS = 10_000
DTYPES = {"F32", "F64", "I64", "I32", "BOOL"}  # of tensors, as safetensors calls them
_REMEDY = "give the folder that save() wrote, or train and save the model again"


def write_model(path: str | Path, model: str, header: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
    """Writes a model; the same content gives the same bytes.

    Args:
        path: the folder, made if it is missing.
        model: name of the model family, checked on reading.
        header: JSON values; ``table`` among them.
        weights: tensors by name; they are moved to the CPU.

    Raises:
        SerializationError: if the folder cannot be written.
    """
    folder = Path(path)
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in weights.items()}
    try:
        packed = save(tensors)
        about = {"format": FORMAT_VERSION, "model": model, "sha256": hashlib.sha256(packed).hexdigest()}
        text = json.dumps({**about, **header}, sort_keys=True, indent=1)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / WEIGHTS_FILE).write_bytes(packed)
        (folder / HEADER_FILE).write_text(text + "\n", encoding="utf-8")
    except (OSError, SafetensorError) as error:
        raise SerializationError(f"the model cannot be written to {folder}: {error}; check path and rights") from error


def read_model(path: str | Path, model: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Returns the header and the weights, on the CPU, of a model that ``write_model`` wrote.

    Raises:
        SerializationError: if a file is missing or corrupt, or holds another model family or a newer format.
    """
    folder = Path(path)
    try:
        header = plain_json(plain_bytes(folder / HEADER_FILE, MOST_HEADER), MOST_HEADER)
    except OSError as error:
        raise SerializationError(f"no model can be read from {folder}: {error}; {_REMEDY}") from error
    except ValueError as error:
        raise SerializationError(f"the model in {folder} is corrupt: {error}; {_REMEDY}") from error
    if not isinstance(header, dict) or header.get("model") != model:
        found = header.get("model") if isinstance(header, dict) else None
        raise SerializationError(f"{folder} holds a model {found!r}, not {model!r}; load it with its own class")
    if header.get("format") != FORMAT_VERSION:
        raise SerializationError(
            f"the model in {folder} has format {header.get('format')!r}, this version reads {FORMAT_VERSION}; "
            "install the version that wrote it, or train the model again"
        )
    try:
        packed = plain_bytes(folder / WEIGHTS_FILE, MOST_WEIGHTS)
        if header.get("sha256") != hashlib.sha256(packed).hexdigest():
            raise ValueError(f"{WEIGHTS_FILE} is not what {HEADER_FILE} was written with")
        return header, _tensors(packed)
    except OSError as error:
        raise SerializationError(f"no model can be read from {folder}: {error}; {_REMEDY}") from error
    except (*MALFORMED, SafetensorError) as error:
        raise SerializationError(f"the model in {folder} is corrupt: {error}; {_REMEDY}") from error


def _tensors(packed: bytes) -> dict[str, Tensor]:
    """The tensors of a file whose types are known and whose numbers are finite."""
    length = int.from_bytes(packed[:8], "little")
    named = plain_json(packed[8 : 8 + min(length, MOST_HEADER)], MOST_HEADER)
    kinds = {about["dtype"] for name, about in named.items() if name != "__metadata__"}
    if len(named) > MOST_TENSORS or not kinds <= DTYPES:
        raise ValueError(f"tensors of the types {', '.join(sorted(map(str, kinds - DTYPES)))}, or too many")
    tensors = load(packed)
    odd = [name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all())]
    if odd:
        raise ValueError(f"the tensor {odd[0]} holds numbers that are not finite")
    return tensors


def check_header(header: Mapping[str, Any], fields: set[str]) -> None:
    """Checks that a header has these fields beside those of every model, and no others.

    Raises:
        ValueError: it has others, or lacks some.
    """
    wanted = {"format", "model", "sha256", "table", *fields}
    if {*header} != wanted:
        wrong = [*(f"lacks {f}" for f in sorted(wanted - {*header})), *(f"has {f}" for f in sorted({*header} - wanted))]
        raise ValueError(f"{HEADER_FILE} {', '.join(wrong)}")
    if header["table"] is not None and not isinstance(header["table"], str):
        raise ValueError(f"{HEADER_FILE} names the table {header['table']!r}")
