"""A saved model as bytes: how models travel from the executor that trained them to the registry and on.

The bytes are an uncompressed zip of few plain files. What is unpacked may come from somebody else: names, sizes and
kinds of its files are checked before one is written.
"""

from __future__ import annotations

import functools
import io
import stat
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from synthohive_spark.errors import SerializationError
from synthohive_spark.models.base import ConditionalGenerativeModel
from synthohive_spark.untrusted import MALFORMED

EPOCH = (1980, 1, 1, 0, 0, 0)  # a fixed time, so that equal models are equal bytes
MOST_BYTES = 256 * 2**20  # of a packed model; those of the package have a few millions
MOST_FILES = 64  # of a model of the user's own
REMEDY = "train the table again, or restore the model from a copy"


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


def unpack(model_cls: type[ConditionalGenerativeModel], artifact: bytes, table: str) -> ConditionalGenerativeModel:
    """The model in ``artifact``.

    Args:
        model_cls: the class that reads it.
        artifact: what ``pack`` made.
        table: whose model it is.

    Raises:
        SerializationError: the bytes are not a packed model of that table.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            if len(artifact) > MOST_BYTES:
                raise ValueError(f"it has {len(artifact):,} bytes, and at most {MOST_BYTES:,} are read")
            with zipfile.ZipFile(io.BytesIO(artifact)) as archive:
                members = archive.infolist()
                _check(members, len(artifact), _files(model_cls))
                for member in members:
                    file = Path(folder, member.filename)
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_bytes(archive.read(member))
            model = model_cls.load(folder)
            if (named := getattr(model, "table", None)) not in (None, table):
                raise ValueError(f"it is the model of the table {named!r}")
        except SerializationError as e:
            raise SerializationError(f"{table}: {_line(e).replace(folder, 'the packed model')}") from e
        except (*MALFORMED, EOFError, zipfile.BadZipFile) as e:
            raise SerializationError(f"{table}: the packed model is damaged: {_line(e)}; {REMEDY}") from e
    return model


def _files(model_cls: type[ConditionalGenerativeModel]) -> tuple[str, ...] | None:
    """The names of a class's files; None where a class of the user's saves more than a model of the package does."""
    saves = next(cls for cls in model_cls.__mro__ if "save" in vars(cls))
    ours = saves.__module__.partition(".")[0] == __name__.partition(".")[0]
    return model_cls.files if ours or "files" in vars(saves) else None


def _line(error: BaseException) -> str:
    """What an error says, as one line: libraries that read models say it in many."""
    return " ".join(f"{error}".split())


def _check(members: list[zipfile.ZipInfo], size: int, files: tuple[str, ...] | None) -> None:
    """Checks the files of a packed model by what the archive says of them.

    Args:
        members: its files.
        size: bytes of the archive.
        files: the names that they have; None for a class that names its files as it likes.
    """
    names = [member.filename for member in members]
    if files is not None and sorted(names) != sorted(files):
        raise ValueError(f"its files are {', '.join(map(repr, names[:5])) or 'none'}, not {' and '.join(files)}")
    if len(set(names)) < len(names) or len(names) > MOST_FILES:
        raise ValueError(f"a file is there twice, or there are more than {MOST_FILES}")
    for member in members:
        place, kind = PurePosixPath(member.filename), stat.S_IFMT(member.external_attr >> 16)
        if place.is_absolute() or ".." in place.parts or "\\" in member.filename or member.is_dir():
            raise ValueError(f"{member.filename!r} lies outside the model's folder, or is a folder")
        if kind not in (0, stat.S_IFREG) or member.flag_bits & 1:
            raise ValueError(f"{member.filename!r} is a link, a device or encrypted")
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise ValueError(f"{member.filename!r} is compressed, and models are not")
    if sum(member.file_size for member in members) > size:
        raise ValueError("its files overlap")


def check_models(model_cls: type[ConditionalGenerativeModel], artifacts: Mapping[str, Artifact]) -> None:
    """Reads every model once, so that one that is damaged stops a run before it begins.

    Args:
        model_cls: the class that reads them.
        artifacts: of the tables, by name.

    Raises:
        SerializationError: one of them is not a packed model of its table.
    """
    for table, artifact in artifacts.items():
        if artifact.model is not None:
            unpack(model_cls, artifact.model, table)


@functools.lru_cache(maxsize=4)
def cached_model(
    model_cls: type[ConditionalGenerativeModel], artifact: bytes, table: str
) -> ConditionalGenerativeModel:
    """``unpack``, once per Python worker."""
    return unpack(model_cls, artifact, table)
