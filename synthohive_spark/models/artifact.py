"""A saved model as bytes: how models travel from the executor that trained them to the registry and on."""

from __future__ import annotations

import functools
import io
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from synthohive_spark.errors import SerializationError
from synthohive_spark.models.base import ConditionalGenerativeModel

EPOCH = (1980, 1, 1, 0, 0, 0)  # a fixed time, so that equal models are equal bytes


@dataclass(frozen=True)
class Artifact:
    """What the training of one table leaves.

    Attributes:
        model: the packed model; None for a table without modelled columns.
        matching: which parents go together, as JSON text.
    """

    model: bytes | None = None
    matching: str = ""


def pack(model: ConditionalGenerativeModel) -> bytes:
    """The folder that ``model.save`` writes, as an uncompressed zip with fixed times."""
    buffer = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(buffer, "w") as archive:
        model.save(folder)
        for file in sorted(p for p in Path(folder).rglob("*") if p.is_file()):
            archive.writestr(zipfile.ZipInfo(file.relative_to(folder).as_posix(), EPOCH), file.read_bytes())
    return buffer.getvalue()


def unpack(model_cls: type[ConditionalGenerativeModel], artifact: bytes) -> ConditionalGenerativeModel:
    """The model in ``artifact``.

    Raises:
        SerializationError: the bytes are not a packed model, or name files outside its folder.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            with zipfile.ZipFile(io.BytesIO(artifact)) as archive:
                if any(Path(n).is_absolute() or ".." in Path(n).parts for n in archive.namelist()):
                    raise SerializationError("the packed model names files outside its folder; it was not made by save")
                archive.extractall(folder)
        except zipfile.BadZipFile as e:
            raise SerializationError(f"the packed model is damaged ({e}); train the table again") from e
        return model_cls.load(folder)


@functools.lru_cache(maxsize=4)
def cached_model(model_cls: type[ConditionalGenerativeModel], artifact: bytes) -> ConditionalGenerativeModel:
    """``unpack``, once per Python worker."""
    return unpack(model_cls, artifact)
