"""Which scan a name opens."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import polars as pl

from descend.scans.parquet import ParquetScan
from descend.tables import MISSING, Table

if TYPE_CHECKING:
    from descend.scans import Scan


def open_scan(source: str, *, query: str | None = None, scratch: str | None = None, **options: Any) -> Scan | None:
    """Return a scan of what a person names; None for what is only read whole."""
    if source.endswith(".parquet") and os.path.isfile(source):
        name = os.path.basename(source)
        return ParquetScan.of(name, [(source, name, os.path.getsize(source))], tuple(options.get("missing", MISSING)))
    return None


def whole(scan: Scan) -> Table:
    """Read all parts of a scan into one table."""
    tables = [part.table() for part in scan.parts(scan.head.columns)]
    frame = pl.concat([table.frame for table in tables])
    return Table(frame, scan.name, scan.head.missing, scan.head.decimal)
