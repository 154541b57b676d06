"""Archives: very many pictures and films, one row in and one row out, into Parquet.

>>> from edge_fer.archive import Reader

is the class for an engine that maps batches of rows, such as Ray Data, Spark or Dask.
"""

from __future__ import annotations

from edge_fer.archive.reader import Reader

__all__ = ["Reader"]
