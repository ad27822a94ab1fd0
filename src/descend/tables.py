"""Tables: files, frames and queries read as columns that are numbers, categories or neither.

``read`` takes a path or an object in memory and returns a ``Table``. A file is recognised by its content and its
name; columns of text files are parsed only when they are used, and a cell that does not parse is named with its line.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from descend.delimited import Delimited, Note, read_delimited
from descend.errors import OptionError, TableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Kind = Literal["number", "text", "boolean", "other"]
MISSING = ("", "NA", "N/A", "NaN", "null", "None", "-", ".", "?")
FILE_KINDS = ".csv .tsv .txt .parquet .feather .arrow .json .ndjson .jsonl .xlsx .xls .ods .db .sqlite (+ .gz)"
_THOUSANDS = {
    ".": (r"[,\x{a0}\x{202f} ]", r"^[+-]?\d{1,3}([,\x{a0}\x{202f} ]\d{3})+(\.\d*)?([eE][+-]?\d+)?$"),
    ",": (r"[.\x{a0}\x{202f} ]", r"^[+-]?\d{1,3}([.\x{a0}\x{202f} ]\d{3})+(,\d*)?([eE][+-]?\d+)?$"),
}


@dataclass
class Table:
    """Columns by name, as read from one source.

    ``frame`` holds the cells as they came (all text where ``source`` is a delimited file); ``numbers`` and
    ``labels`` give a column as float64 or as category labels.
    """

    frame: pl.DataFrame
    name: str
    missing: tuple[str, ...] = MISSING
    decimal: str = "."
    source: Delimited | None = None
    notes: list[Note] = field(default_factory=list)
    _numbers: dict[str, tuple[Floats, NDArray[np.bool_]]] = field(default_factory=dict, repr=False)

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in their order."""
        return self.frame.columns

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self.frame.height

    def line(self, row: int) -> int:
        """Return where a person finds row ``row`` (from 0): the file's line, else the row's number from 1."""
        return (self.source and self.source.line_of(row)) or row + 1

    def kind(self, column: str) -> Kind:
        """Tell what a column holds; one in which most cells are numbers counts as numbers, with bad cells in it."""
        series = self.frame[column]
        if series.dtype == pl.Boolean:
            return "boolean"
        if series.dtype.is_numeric() or series.dtype == pl.Null:
            return "number"
        if series.dtype not in (pl.String, pl.Categorical, pl.Enum):
            return "other"
        if self.source is None:
            return "text"
        cells = self._text(column).drop_nulls()
        if cells.len() and cells.str.to_lowercase().is_in(["true", "false"]).all():
            return "boolean"
        values, bad = self._parsed(column)
        wrong = int(bad.sum())
        return "number" if wrong == 0 or wrong < int(np.isfinite(values).sum()) else "text"

    def numbers(self, column: str) -> Floats:
        """Return a column as float64, NaN where a cell is missing.

        Raises TableError (``table.bad-cell``) naming the first cell that is no finite number.
        """
        kind = self.kind(column)
        if kind not in ("number", "boolean"):
            raise TableError("table.not-numbers", file=self.name, column=column, **self._first_text(column))
        if kind == "boolean":
            truth = (self.labels(column) == "true").cast(pl.Float64)
            return truth.fill_null(np.nan).to_numpy().astype(np.float64)
        values, bad = self._parsed(column)
        bad = bad | np.isinf(values)
        if bad.any():
            row = int(np.argmax(bad))
            raise TableError(
                "table.bad-cell",
                file=self.name,
                line=self.line(row),
                column=column,
                found=_shown(self.frame[column][row]),
                count=int(bad.sum()),
            )
        return values

    def labels(self, column: str) -> pl.Series:
        """Return a column as text labels, null where missing; 2007 and 2007.0 are one label, so are TRUE and true."""
        kind = self.kind(column)
        if kind == "other":
            raise TableError("table.no-category", file=self.name, column=column, dtype=str(self.frame[column].dtype))
        if kind == "number" and not self._parsed(column)[1].any():
            values = self._parsed(column)[0]
            distinct = np.unique(values[~np.isnan(values)])
            names = [number_label(value) for value in distinct.tolist()]
            series = pl.Series(column, values, nan_to_null=True)
            return series.replace_strict(distinct, names, default=None, return_dtype=pl.String)
        text = self._text(column)
        return text.str.to_lowercase() if kind == "boolean" else text

    def _text(self, column: str) -> pl.Series:
        text = self.frame[column].cast(pl.String).str.strip_chars()
        markers = sorted({marker.lower() for marker in self.missing} | {""})
        return text.set(text.str.to_lowercase().is_in(markers), None)

    def _parsed(self, column: str) -> tuple[Floats, NDArray[np.bool_]]:
        if column not in self._numbers:
            series = self.frame[column]
            if series.dtype == pl.String:
                self._numbers[column] = parse_numbers(self._text(column), self.decimal)
            else:
                values = series.cast(pl.Float64).fill_null(np.nan).to_numpy().astype(np.float64)
                self._numbers[column] = values, np.zeros(values.size, dtype=bool)
        return self._numbers[column]

    def _first_text(self, column: str) -> dict[str, Any]:
        filled = self.frame[column].is_not_null().arg_max() or 0
        return {"found": _shown(self.frame[column][filled]), "line": self.line(filled)}


def parse_numbers(text: pl.Series, decimal: str = ".") -> tuple[Floats, NDArray[np.bool_]]:
    """Return the numbers written in ``text`` (NaN where null) and a mask of the cells that hold no number."""
    given = text.is_not_null()
    text = text.str.replace("−", "-", literal=True)
    separator, pattern = _THOUSANDS[decimal]
    grouped = text.str.contains(pattern)
    if grouped.any():
        ungrouped = text.str.replace_all(separator, "")
        text = pl.select(pl.when(grouped).then(ungrouped).otherwise(text)).to_series()
    if decimal == ",":
        unambiguous = ~text.str.contains(".", literal=True)
        text = pl.select(pl.when(unambiguous).then(text.str.replace(",", ".", literal=True))).to_series()
    values = text.cast(pl.Float64, strict=False)
    bad = (given & values.is_null()).to_numpy().astype(bool)
    return values.fill_null(np.nan).to_numpy().astype(np.float64), bad


def number_label(value: float) -> str:
    """Return a number as a category's label: 2007 for 2007.0."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


def read(
    source: Any,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    decimal: str = ".",
    missing: Sequence[str] = MISSING,
    names: Sequence[str] | None = None,
) -> Table:
    """Read a table from a path or from an object in memory.

    source: a path to delimited text (its encoding, delimiter, quotes and header are found out where not given),
        Parquet, Feather or Arrow, JSON or NDJSON, Excel (``book.xlsx::Sheet``), SQLite (``file.db::table``), any of
        the text kinds gzipped; or a pandas, polars or pyarrow frame, a mapping of columns, a list of records, a
        scikit-learn Bunch, a structured array, or a two-dimensional array with ``names``.
    decimal: the decimal mark of text files, "." or ",".
    missing: the texts that stand for a missing cell, in any case; the empty cell always does.

    Raises TableError for what cannot be read and OptionError for an option that makes no sense.
    """
    if decimal not in _THOUSANDS:
        raise OptionError("option.decimal", value=decimal)
    if isinstance(source, Table):
        return source
    if not isinstance(source, (str, os.PathLike)):
        return Table(_from_memory(source, names), "table", tuple(missing))
    path, _, inner = str(source).partition("::")
    name = Path(path).name
    data = _bytes(path)
    kind = _file_kind(data, name)
    if kind == "text":
        frame, delimited = read_delimited(
            data, name, encoding=encoding, delimiter=delimiter, header=header, decimal=decimal
        )
        return Table(frame, name, tuple(missing), decimal, delimited, delimited.notes)
    try:
        frame = _READERS[kind](data, path, inner)
    except TableError:
        raise
    except ModuleNotFoundError as error:
        raise TableError("table.needs-extra", file=name, extra="excel") from error
    except Exception as error:  # each library has errors of its own for a damaged file
        raise TableError("table.damaged", file=name, kind=kind, reason=str(error).split("\n")[0][:200]) from error
    if frame.width == 0 or frame.height == 0:
        raise TableError("table.no-rows", file=name)
    return Table(frame, name, tuple(missing))


def _bytes(path: str) -> bytes:
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise TableError("table.not-found", file=path) from error
    except IsADirectoryError as error:
        raise TableError("table.folder", file=path) from error
    except (OSError, ValueError) as error:
        raise TableError("table.no-access", file=path, reason=getattr(error, "strerror", None) or str(error)) from error
    if data.startswith(b"\x1f\x8b"):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, ValueError) as error:
            raise TableError("table.damaged", file=path, kind="gzip", reason=str(error)) from error
    return data


def _file_kind(data: bytes, name: str) -> str:
    """Tell a file's kind by its first bytes, else by its name, else it is text."""
    if data.startswith(b"PAR1"):
        return "parquet"
    if data.startswith((b"ARROW1", b"FEA1")):
        return "arrow"
    if data.startswith(b"SQLite format 3\0"):
        return "sqlite"
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return "excel"
    suffixes = [suffix.lower() for suffix in Path(name).suffixes if suffix.lower() != ".gz"]
    suffix = suffixes[-1] if suffixes else ""
    by_name = {
        ".parquet": "parquet", ".feather": "arrow", ".arrow": "arrow", ".json": "json", ".ndjson": "ndjson",
        ".jsonl": "ndjson", ".xlsx": "excel", ".xls": "excel", ".ods": "excel", ".db": "sqlite", ".sqlite": "sqlite",
    }  # fmt: skip
    if suffix == ".safetensors":
        raise TableError("table.is-model", file=name)
    return by_name.get(suffix, "text")


def _read_excel(data: bytes, path: str, inner: str) -> pl.DataFrame:
    frame = pl.read_excel(io.BytesIO(data), sheet_name=inner or None, engine="calamine")
    return frame.rename({column: column.strip() for column in frame.columns})


def _read_sqlite(data: bytes, path: str, inner: str) -> pl.DataFrame:
    name = Path(path).name
    with sqlite3.connect(":memory:") as connection:
        connection.deserialize(data)
        known = [row[0] for row in connection.execute("select name from sqlite_master where type in ('table', 'view')")]
        if not inner and len(known) == 1:
            inner = known[0]
        if inner not in known:
            raise TableError("table.no-such-table", file=name, found=inner, known=", ".join(known) or "-")
        quoted = inner.replace('"', '""')
        cursor = connection.execute(f'select * from "{quoted}"')
        names = [column[0] for column in cursor.description]
        rows = cursor.fetchall()
    return pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None, strict=False)


def _read_json(data: bytes, path: str, inner: str) -> pl.DataFrame:
    name = Path(path).name
    try:
        tree = json.loads(data)
    except json.JSONDecodeError as error:
        raise TableError("table.bad-json", file=name, line=error.lineno, reason=error.msg) from error
    if isinstance(tree, dict):
        return _from_memory(tree, None)
    if isinstance(tree, list) and tree and all(isinstance(row, dict) for row in tree):
        return pl.DataFrame(tree, infer_schema_length=None, strict=False)
    raise TableError("table.json-shape", file=name)


def _read_ndjson(data: bytes, path: str, inner: str) -> pl.DataFrame:
    name = Path(path).name
    rows = []
    for number, line in enumerate(data.splitlines(), start=1):
        if line.strip():
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise TableError("table.bad-json", file=name, line=number, reason=error.msg) from error
            if not isinstance(row, dict):
                raise TableError("table.json-shape", file=name)
            rows.append(row)
    return pl.DataFrame(rows, infer_schema_length=None, strict=False)


_READERS = {
    "parquet": lambda data, path, inner: pl.read_parquet(io.BytesIO(data)),
    "arrow": lambda data, path, inner: pl.read_ipc(io.BytesIO(data)),
    "json": _read_json,
    "ndjson": _read_ndjson,
    "excel": _read_excel,
    "sqlite": _read_sqlite,
}


def _from_memory(source: Any, names: Sequence[str] | None) -> pl.DataFrame:
    """Return a polars frame for any of the objects that ``read`` takes."""
    if isinstance(source, pl.DataFrame):
        return source
    if isinstance(source, np.ndarray):
        source = _array_columns(source, names)
    elif isinstance(source, dict) and {"data", "target"} <= source.keys():
        source = _bunch_columns(source)
    if isinstance(source, dict):
        columns = {str(name): _column(name, values) for name, values in source.items()}
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) > 1:
            raise TableError("table.unequal", lengths=", ".join(f"{name}: {n}" for name, n in lengths.items()))
        return pl.DataFrame(columns)
    if isinstance(source, (list, tuple)) and source and all(isinstance(row, dict) for row in source):
        return pl.DataFrame(list(source), infer_schema_length=None, strict=False)
    if hasattr(source, "collect") and hasattr(source, "lazy"):
        source = source.collect()
    import narwhals

    try:
        frame = narwhals.from_native(source, eager_only=True)
    except TypeError as error:
        raise TableError("table.unknown-object", type=type(source).__name__) from error
    try:
        return frame.to_polars()
    except ModuleNotFoundError:  # pandas text needs pyarrow for the quick way
        return pl.DataFrame(
            {str(name): pl.Series(frame[name].to_list(), strict=False) for name in frame.columns}
        )


def _column(name: object, values: Any) -> pl.Series:
    if isinstance(values, (str, bytes)) or not hasattr(values, "__len__"):
        raise TableError("table.scalar-column", column=str(name))
    if isinstance(values, np.ndarray) and values.dtype != object:
        if values.ndim != 1:
            raise TableError("table.array-shape", shape="x".join(map(str, values.shape)))
        return pl.Series(str(name), values)
    return pl.Series(str(name), list(values), strict=False)


def _array_columns(array: NDArray[Any], names: Sequence[str] | None) -> dict[str, Any]:
    if array.dtype.names:
        return {name: array[name] for name in array.dtype.names}
    if array.ndim != 2:
        raise TableError("table.array-shape", shape="x".join(map(str, array.shape)))
    names = list(names) if names is not None else [f"x{i + 1}" for i in range(array.shape[1])]
    if len(names) != array.shape[1]:
        raise TableError("table.array-names", names=len(names), columns=array.shape[1])
    return {str(name): array[:, i] for i, name in enumerate(names)}


def _bunch_columns(bunch: dict[str, Any]) -> dict[str, Any]:
    """Return a scikit-learn Bunch's features and its target, the classes by name where it names them."""
    target, target_names = np.asarray(bunch["target"]), bunch.get("target_names")
    data = bunch["data"]
    if hasattr(data, "columns"):
        columns = {str(name): np.asarray(data[name]) for name in data.columns}
    else:
        columns = _array_columns(np.asarray(data), bunch.get("feature_names"))
    if target.ndim == 2:
        labels = target_names if target_names is not None else [f"target{i + 1}" for i in range(target.shape[1])]
        return columns | {str(name): target[:, i] for i, name in enumerate(labels)}
    if target_names is not None and target.dtype.kind in "iu" and target.max(initial=0) < len(target_names):
        target = np.asarray(target_names)[target]
    return columns | {"target": target}


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:39] + "…"
