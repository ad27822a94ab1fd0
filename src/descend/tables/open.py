"""Reading: what a person names, a path or an object in memory, opened as a table.

A file is recognised by its content and its name.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import polars as pl

from descend.base.arguments import require
from descend.base.errors import DescendError, OptionError, TableError
from descend.base.memory import COPIES, allowance
from descend.base.texts import plain_name
from descend.formula.equation import Equation
from descend.formula.formula import Formula
from descend.formula.parser import is_equation, parse
from descend.tables.formats import File, folder_format, open_file, parted_titles, require_effect
from descend.tables.frames import from_memory
from descend.tables.reading_options import MISSING, ReadingOptions, markers_of, require_words
from descend.tables.table import Table
from descend.tables.text.delimited import NUMBER, Delimited

if TYPE_CHECKING:
    from collections.abc import Sequence

    from descend.tables.databases.query import QueryScan
    from descend.tables.executors import Workers
    from descend.tables.scan import Scan
    from descend.tables.scans.parquet import ParquetScan

FETCHED = 100_000  # rows of a query: fewer are fetched at once, more are added up where they are or come in batches
DATABASES = ("postgresql://", "postgres://", "sqlite:///")
UNPACKED = 40  # a file's bytes, compressed at most so much, in memory


def read(
    source: Any,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    decimal: str = ".",
    missing: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    skip_rows: int = 0,
    header_row: int | None = None,
    comment: str | None = None,
    skip_footer: int = 0,
) -> Table:
    """Read a table from a path or from an object in memory.

    source: ``-`` for standard input; a path to delimited text
        (its encoding, delimiter, quotes and header are found out where not given),
        Parquet, Feather or Arrow, JSON or NDJSON, Excel (``book.xlsx::Sheet``), SQLite (``file.db::table``), Stata or
        SPSS, any of the text kinds gzipped; images: IDX (``images.gz``, with its labels beside it or as
        ``images.gz::labels.gz``), a PNG or JPEG, or a folder of these, whose
        subfolders are their labels; a folder, a pattern (``data/*.parquet``) or an address (s3://, gs://, https://) of
        Parquet or text files; or a pandas, polars or pyarrow frame, a mapping of columns (images as uint8, rows x
        height x width, x 3 for colour), a list of records, a scikit-learn Bunch, a structured array, or a
        two-dimensional array with ``names``.
    decimal: the decimal mark of numbers that are text, "." or ",".
    skip_rows, header_row, comment, skip_footer: which lines of a text file, or rows of a sheet, are its table; see
        ``table_lines.Layout``.
    missing: the texts that stand for a missing cell, in lower or upper case too; the empty cell always does. None: NA,
        None, - and the like, but nothing in frames, Parquet and Arrow, which mark such cells; (): nothing at all.

    Raises TableError for what cannot be read and OptionError for an option that makes no sense.

    >>> table = read({"hours": [1, 2.5, 4], "passed": ["no", "yes", "yes"]})
    >>> table.rows, table.columns, table.kind("passed")
    (3, ['hours', 'passed'], 'text')
    >>> read([{"hours": 1, "score": 52}, {"hours": 4, "score": 70}]).numbers("score").tolist()
    [52.0, 70.0]
    """
    require_words("names", names)
    given: dict[str, Any] = {
        "encoding": encoding,
        "delimiter": delimiter,
        "header": header,
        "decimal": decimal,
        "missing": missing,
        "skip_rows": skip_rows,
        "header_row": header_row,
        "comment": comment,
        "skip_footer": skip_footer,
    }
    options = ReadingOptions.of(**given)
    if isinstance(source, Table):
        return source
    if isinstance(source, File):
        return source.format.read(source, options)
    if not isinstance(source, (str, os.PathLike)):
        require_effect(options.layout)
        try:
            frame = from_memory(source, names)
        except DescendError:
            raise
        except Exception as error:  # whatever a library says to an object that is no table of its own
            raise TableError("table.unknown-object", type=type(source).__name__) from error
        return Table(frame, "table", options.markers(typed=True), decimal)
    if not os.path.isfile(source):  # most tables are small files, and start sooner without what comes here
        from descend.tables.find_files import is_many, open_scan
        from descend.tables.pipes import file_of, is_piped, spool
        from descend.tables.scans.collect import collect

        if is_piped(str(source)):
            return read(file_of(str(source), spool(str(source), None)), **given)
        if is_many(str(source)):
            scan = open_scan(source, **given)
            if scan is not None:
                return collect(scan)
            folder = folder_format(source) if os.path.isdir(source) else None
            if folder is not None:
                return folder.read_folder(str(source), options)
    file = open_file(str(source))
    return file.format.read(file, options)


def open_rows(
    source: Any,
    formula: str | Formula | Equation | None = None,
    *,
    memory: str | int | None = None,
    scratch: str | None = None,
    query: str | None = None,
    workers: Workers | None = None,
    partitions: int | None = None,
    **options: Any,
) -> Table | Scan:
    """Open what a person names: in memory where it fits there, else as a scan, which is read part by part.

    formula: only the columns that it names need to fit; memory: into how many bytes (default: half of what is free).
    workers: those of a cluster, which are to read it even where it would fit; partitions: into how many parts they cut
    a Parquet table; options: those of ``read``.
    Raises as ``read`` does; OptionError (``option.cluster-table``) for what workers elsewhere cannot read.
    """
    require("scratch", scratch, "path", "None")
    require("query", query, "str", "None")
    if formula is not None:
        require_formula(formula, source)
        options["header"] = header_of(options.get("header"), formula)
    found = _opened(source, formula, allowance(memory), scratch, query, workers, options)
    if workers is not None and not getattr(found, "scattered", False):
        raise OptionError("option.cluster-table", name=found.name, known=parted_titles())
    if partitions is None:
        return found
    if isinstance(partitions, bool) or not isinstance(partitions, int) or partitions < 1:
        raise OptionError("option.count", name="partitions", value=partitions)
    if not hasattr(found, "partitions"):
        raise OptionError("option.no-effect", name="partitions", needs="--cluster, Parquet")
    return replace(cast("ParquetScan", found), partitions=partitions)


def _opened(
    source: Any,
    formula: str | Formula | Equation | None,
    limit: int,
    scratch: str | None,
    query: str | None,
    workers: Workers | None,
    options: dict[str, Any],
) -> Table | Scan:
    if hasattr(source, "parts") and not isinstance(source, os.PathLike):  # a path has parts too
        return cast("Scan", source)
    if type(source).__module__.startswith("dask."):
        from descend.tables.scans.dask import DaskScan

        return DaskScan.of(source, "dataframe", markers_of(options.get("missing"), typed=True), workers)
    if not isinstance(source, (str, os.PathLike)):
        return read(source, **options)
    name = os.fspath(source)
    if query is not None or name.startswith(DATABASES):
        if query is None:
            raise OptionError("option.no-query")
        from descend.tables.databases.query import open_query

        reading = ReadingOptions.of(**options)
        require_effect(reading.layout)
        rows = open_query(name, query, missing=reading.markers(typed=False))
        return rows if rows.rows > FETCHED else _fetched(rows)
    if workers is None and os.path.isfile(name) and os.path.getsize(name) * UNPACKED <= limit:
        return read(name, **options)
    from descend.tables.find_files import open_scan
    from descend.tables.pipes import is_piped
    from descend.tables.scans.collect import collect

    if is_piped(name):
        return _piped(name, formula, limit, scratch, options)
    found = open_scan(name, scratch=scratch, **options)
    if found is None:
        return read(name, **options)
    if workers is not None or _in_parts(found, formula, limit):
        return found
    return collect(found)


def _piped(
    source: str, formula: str | Formula | Equation | None, limit: int, scratch: str | None, options: dict[str, Any]
) -> Table | Scan:
    """Return what comes through a pipe, in memory where it fits there or is no text, which alone is read in parts."""
    from descend.tables.find_files import open_scan
    from descend.tables.pipes import file_of, is_in_parts, spool
    from descend.tables.scans.collect import collect

    came = spool(source, scratch)
    if came.size * UNPACKED <= limit or not is_in_parts(came):
        return read(file_of(source, came), **options)
    found = open_scan(source, piped=came, **options)
    assert found is not None
    return found if _in_parts(found, formula, limit) else collect(found)


def _fetched(rows: QueryScan) -> Table:
    """Fetch all rows of a query that has few of them."""
    from descend.tables.scans.collect import collect

    with rows:
        return collect(rows)


def require_formula(formula: Any, table: Any) -> None:
    """Raise OptionError where the hypothesis is not one, or is given in the place of the table."""
    written = isinstance(formula, str) and (_is_written(formula) or not isinstance(table, str))
    if (
        isinstance(table, str | Formula | Equation)
        and (not isinstance(table, str) or (_is_written(table) and not os.path.exists(table)))
        and not (written or isinstance(formula, Formula | Equation))
    ):
        raise OptionError("option.swapped", formula=str(table))
    if not isinstance(formula, str | Formula | Equation):
        raise OptionError("option.kind", name="formula", found=type(formula).__name__, wanted="str")


def _is_written(text: str) -> bool:
    """Tell whether a text looks like a formula or an equation."""
    return "~" in text or is_equation(text)


def header_of(header: bool | None, *formulas: str | Formula | Equation) -> bool | None:
    """Return whether the first line of a text is its header: as asked, and where a formula names a number in it."""
    parsed = [parse(formula) if isinstance(formula, str) else formula for formula in formulas]
    named = any(NUMBER.fullmatch(name.name) for formula in parsed for name in formula.names)
    return True if header is None and named else header


def held(rows: Table | Scan, memory: str | int | None = None) -> Table | Scan:
    """Return rows in memory where they fit there, as those of a query that is read batch by batch may."""
    if isinstance(rows, Table) or _needed(rows, None) > allowance(memory):
        return rows
    from descend.tables.scans.collect import collect

    return collect(rows)


def sources_of(source: str) -> list[str]:
    """Return the files here that a table is read from, also where it is a folder, a pattern or named inside a file."""
    if not os.path.isfile(source):
        from descend.tables.find_files import find_files, is_many
        from descend.tables.scans.remote import is_address

        if is_address(source):
            return []
        if is_many(source):
            try:
                return [file.path for file in find_files(source)]
            except TableError:  # it is told when the table is read
                return []
    return source.split("::")


def _in_parts(scan: Scan, formula: str | Formula | Equation | None, limit: int) -> bool:
    """Tell whether rows are to be read part by part: where they do not fit, and products of columns take less."""
    return _needed(scan, formula) > limit and scan.rows > _columns(scan, formula)


def _needed(scan: Scan, formula: str | Formula | Equation | None) -> int:
    """Return how many bytes a fit of a scan's rows would take in memory."""
    return COPIES * 8 * scan.rows * _columns(scan, formula)


def _columns(scan: Scan, formula: str | Formula | Equation | None) -> int:
    """Return how many columns of a scan a formula names, all where there is none."""
    if formula is None:
        return len(scan.head.columns)
    return len((parse(formula) if isinstance(formula, str) else formula).columns_among(scan.head.columns))


def typed_row(cells: dict[str, str], decimal: str = ".") -> Table:
    """Return values typed by hand as a table of one row, read by the rules of a text file."""
    cells = {plain_name(name): value for name, value in cells.items()}
    frame = pl.DataFrame({name: pl.Series(name, [value], dtype=pl.String) for name, value in cells.items()})
    lines = "\n".join("\t".join(line) for line in (cells, cells.values()))
    return Table(frame, "--set", MISSING, decimal, Delimited("--set", lines, "\t", '"', header=True))
