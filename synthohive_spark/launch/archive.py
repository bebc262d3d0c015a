"""The package as a .zip, the one form that Spark ships to its workers everywhere (a .whl fails there)."""

from __future__ import annotations

import functools
import hashlib
import io
import os
import tempfile
import zipfile
from importlib import metadata
from importlib.resources import files
from pathlib import Path

_EPOCH = (1980, 1, 1, 0, 0, 0)
_SKIP = ("__pycache__", ".mypy_cache", ".ruff_cache")


def package_zip(folder: Path, package: Path | None = None) -> Path:
    """Write the package into ``folder``, under a name that carries the content's hash.

    The same code gives the same bytes, and a running job never sees its archive replaced.

    Args:
        folder: where the archive goes; made if it is missing.
        package: the package's own folder; this package by default.
    """
    package = package or Path(__file__).parents[1]
    content = _zipped(package)
    target = folder / f"{package.name}-{hashlib.sha256(content).hexdigest()[:12]}.zip"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            file.write(content)
        os.chmod(file.name, 0o644)
        os.replace(file.name, target)
    return target


@functools.lru_cache(maxsize=1)
def package_digest() -> str:
    """A hash of the package's code, wherever it runs from: what makes a row, beside configuration and seed."""
    found = hashlib.sha256()
    folders = [("", files(__package__.partition(".")[0]))]
    while folders:
        place, folder = folders.pop()
        for item in sorted(folder.iterdir(), key=lambda i: i.name):
            name = f"{place}/{item.name}"
            if item.is_dir() and item.name not in _SKIP:
                folders.append((name, item))
            elif item.name.endswith(".py"):
                found.update(name.encode() + b"\0" + item.read_bytes() + b"\0")
    return found.hexdigest()[:16]


def package_version() -> str:
    """The package's version; where it runs from an archive, that is not known."""
    try:
        return metadata.version("synthohive-spark")
    except metadata.PackageNotFoundError:
        return "unknown"


def _zipped(package: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(package.rglob("*")):
            if path.is_file() and not any(part in _SKIP for part in path.parts) and path.suffix != ".pyc":
                entry = zipfile.ZipInfo(str(path.relative_to(package.parent)), _EPOCH)
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
