"""Models on disk: a folder with ``model.json`` and ``weights.safetensors``. Neither can carry code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from synthohive_spark.errors import SerializationError

HEADER_FILE = "model.json"
WEIGHTS_FILE = "weights.safetensors"
FORMAT_VERSION = 1  # of the files; another one is refused
_REMEDY = "give the folder that save() wrote, or train and save the model again"


def write_model(path: str | Path, model: str, header: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
    """Writes a model; the same content gives the same bytes.

    Args:
        path: the folder, made if it is missing.
        model: name of the model family, checked on reading.
        header: JSON values.
        weights: tensors by name; they are moved to the CPU.

    Raises:
        SerializationError: if the folder cannot be written.
    """
    folder = Path(path)
    text = json.dumps({"format": FORMAT_VERSION, "model": model, **header}, sort_keys=True, indent=1)
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in weights.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / WEIGHTS_FILE).write_bytes(save(tensors))
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
        header = json.loads((folder / HEADER_FILE).read_text(encoding="utf-8"))
        weights = load_file(folder / WEIGHTS_FILE, device="cpu")
    except OSError as error:
        raise SerializationError(f"no model can be read from {folder}: {error}; {_REMEDY}") from error
    except (ValueError, SafetensorError) as error:
        raise SerializationError(f"the model in {folder} is corrupt: {error}; {_REMEDY}") from error
    if not isinstance(header, dict) or header.get("model") != model:
        found = header.get("model") if isinstance(header, dict) else None
        raise SerializationError(f"{folder} holds a model {found!r}, not {model!r}; load it with its own class")
    if header.get("format") != FORMAT_VERSION:
        raise SerializationError(
            f"the model in {folder} has format {header.get('format')!r}, this version reads {FORMAT_VERSION}; "
            "install the version that wrote it, or train the model again"
        )
    return header, weights
