"""Every row read once by Polars, in batches, and nothing done with it."""

from time import perf_counter

import polars as pl

PACKAGES = ["polars"]
COLUMNS = [f"x{number}" for number in range(1, 11)]


def batches(file, target, rows=None):
    """Yield the table in batches, as Polars hands them out."""
    return pl.scan_parquet(file).select(*COLUMNS, target).collect_batches(chunk_size=rows)


def run(file, target):
    started = perf_counter()
    rows = sum(batch.height for batch in batches(file, target))
    yield f"{rows:,} rows", perf_counter() - started, []
