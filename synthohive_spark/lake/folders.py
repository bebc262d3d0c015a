"""Folders of tables, as this program reaches them without Spark."""

from __future__ import annotations

import time

from pyarrow import fs

from synthohive_spark.location import LOG, Address, TableRef


def file_system(folder: str) -> tuple[fs.FileSystem, str]:
    """The store that holds a folder, and the folder's name in it. Only scheme and host are read as those of a URL.

    Raises:
        OSError, ValueError: the store cannot be reached from here.
    """
    address = Address.parse(folder)
    if not address.scheme:
        return fs.LocalFileSystem(), address.path
    system, root = fs.FileSystem.from_uri(f"{address.scheme}://{address.host}/")
    return system, root.rstrip("/") + address.path


def clear_rest(ref: TableRef, older: float = 0.0) -> bool:
    """Remove a log without a commit where a table is to be made, if nothing else is in its folder.

    A process that was killed, or a disk that was full, leaves it: Delta finds no table there, and Spark makes none.

    Args:
        ref: the table that is not there.
        older: seconds for which nothing has been written to the log; less, and somebody may be making the table.

    Returns:
        Whether there was such a log.
    """
    if ref.path is None:
        return False
    try:
        system, folder = file_system(ref.path)
        there = system.get_file_info(fs.FileSelector(folder))
        written = system.get_file_info(fs.FileSelector(f"{folder}/{LOG}", recursive=True))
        if [f.base_name for f in there] != [LOG] or any(_counts(f) for f in written):
            return False
        if older and max((f.mtime.timestamp() for f in [*there, *written]), default=0.0) > time.time() - older:
            return False
        system.delete_dir(folder)
    except (OSError, ValueError, AttributeError):  # of some stores nobody knows when; what can be made is seen then
        return False
    return True


def _counts(file: fs.FileInfo) -> bool:
    """Whether a file of a log belongs to a table; the names of those that are just being written begin with a dot."""
    return file.type == fs.FileType.File and not file.base_name.startswith(".")
