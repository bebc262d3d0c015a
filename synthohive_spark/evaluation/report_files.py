"""Where a report goes: beside the workspace's tables, or to the place that the configuration names."""

from __future__ import annotations

from dataclasses import dataclass

from pyarrow import fs

from synthohive_spark.lake.folders import file_system


@dataclass(frozen=True)
class ReportPlace:
    """A folder of reports, in any store that the lake's tables can lie in.

    Attributes:
        folder: a path, or a path with a scheme.
    """

    folder: str

    def write(self, name: str, page: str, details: str) -> str:
        """Write the page and its JSON.

        Args:
            name: of both files, without an ending.
            page: HTML.
            details: JSON.

        Returns:
            Where the page lies, with the scheme that the folder has.

        Raises:
            OSError, ValueError: the store cannot be written from here.
        """
        self.put(f"{name}.json", details)
        return self.put(f"{name}.html", page)

    def put(self, name: str, text: str) -> str:
        """Write one file; where it lies, with the scheme that the folder has.

        Raises:
            OSError, ValueError: the store cannot be written from here.
        """
        system, folder = file_system(self.folder)
        system.create_dir(folder, recursive=True)
        with system.open_output_stream(f"{folder}/{name}") as stream:
            stream.write(text.encode())
        return f"{folder if isinstance(system, fs.LocalFileSystem) else self.folder.rstrip('/')}/{name}"
