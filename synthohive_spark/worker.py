"""What Spark's Python workers are spared between their tasks."""

from __future__ import annotations

import sys
from zipimport import zipimporter


def forget_archives() -> None:
    """Let the next task of this worker begin without reading archives again; our functions call it first.

    Spark begins every task by invalidating Python's import caches, and Python before 3.13 then reads the directory of
    every archive on ``sys.path`` anew: Spark's own jar of classes lies there too, and takes longer than many a task.
    Whoever imports from an archive afterwards finds it again, its directory still known.
    """
    for place, importer in list(sys.path_importer_cache.items()):
        if isinstance(importer, zipimporter):
            del sys.path_importer_cache[place]
