"""Tables already in memory: frames of other libraries, columns, records and arrays, as one polars frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from descend.base.errors import TableError
from descend.base.texts import plain_name
from descend.tables.labels import EXACT, cell_label

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray


def from_memory(source: Any, names: Sequence[str] | None) -> pl.DataFrame:
    """Return a polars frame for any of the objects that ``read`` takes; its columns' names are plain."""
    return named(_made(source, names))


def named(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a frame with plain names; raises TableError where two are the same then."""
    names = [plain_name(name) for name in frame.columns]
    _refuse_repeated(names)
    return frame if names == frame.columns else frame.rename(dict(zip(frame.columns, names, strict=True)))


def columns_of(rows: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return records as columns, in the order in which their names first come; what a record lacks is missing."""
    names = dict.fromkeys(str(name) for row in rows for name in row)
    records = [{str(name): value for name, value in row.items()} for row in rows]
    return {name: [record.get(name) for record in records] for name in names}


def column_of(name: str, cells: Sequence[Any]) -> pl.Series:
    """Return cells of any types as a column.

    Where texts are among them all are texts, numbers written as their labels are; whole numbers are rounded to floats
    only beside fractions.
    """
    series = pl.Series(name, cells, strict=False)
    if series.dtype == pl.String and not all(cell is None or isinstance(cell, str) for cell in cells):
        texts = [cell if isinstance(cell, str) else cell_label(cell) for cell in cells]
        return pl.Series(name, texts, dtype=pl.String)
    if series.dtype == pl.Float64 and any(_is_whole(cell) and abs(cell) > EXACT for cell in cells):
        whole = [None if cell != cell else cell for cell in cells]
        if all(cell is None or _is_whole(cell) for cell in whole):
            return pl.Series(name, whole)
    return series


def _is_whole(cell: Any) -> bool:
    return isinstance(cell, (int, np.integer))


def _made(source: Any, names: Sequence[str] | None) -> pl.DataFrame:
    if isinstance(source, np.ndarray):
        source = _array_columns(source, names)
    elif isinstance(source, dict) and type(source) is not dict and {"data", "target"} <= source.keys():
        source = _bunch_columns(source)
    if isinstance(source, (list, tuple)) and source and all(isinstance(row, dict) for row in source):
        return pl.DataFrame([column_of(name, cells) for name, cells in columns_of(source).items()])
    if isinstance(source, dict):
        _refuse_repeated(source)
        columns = {str(name): _column(name, values) for name, values in source.items()}
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) > 1:
            raise TableError("table.unequal", lengths=", ".join(f"{name}: {n}" for name, n in lengths.items()))
        return pl.DataFrame(columns)
    if hasattr(source, "collect") and hasattr(source, "lazy"):
        source = source.collect()
    if isinstance(source, pl.DataFrame):
        return source
    import narwhals

    names_given = getattr(source, "column_names", getattr(source, "columns", None))
    if names_given is not None and not callable(names_given):
        _refuse_repeated(names_given)
    try:
        frame = narwhals.from_native(source, eager_only=True)
    except TypeError as error:
        raise TableError("table.unknown-object", type=type(source).__name__) from error
    return _of_frame(frame)


def _of_frame(frame: Any) -> pl.DataFrame:
    """Return another library's frame, the order of its categories kept."""
    found = {name: _declared(frame.get_column(name)) for name in frame.columns}
    declared = {str(name): series for name, series in found.items() if series is not None}
    others = frame.drop(*(name for name, series in found.items() if series is not None)) if declared else frame
    try:
        made = others.to_polars()
    except (
        ImportError,
        ValueError,
        TypeError,
        NotImplementedError,
    ):  # pandas without pyarrow, or a column of mixed types
        made = pl.DataFrame([_foreign(frame.get_column(name)) for name in others.columns])
    columns = {str(name): made[str(name)] for name in others.columns} | declared
    return pl.DataFrame([columns[str(name)] for name in frame.columns])


def _foreign(series: Any) -> pl.Series:
    """Return another library's column without pyarrow."""
    name, kind = str(series.name), str(series.dtype)
    gaps = series.is_null().to_list()
    if kind.startswith("Float") or (kind.startswith(("Int", "UInt", "Bool")) and not any(gaps)):
        values = series.to_numpy()
        if values.dtype != object:
            return pl.Series(name, values, nan_to_null=True)
    return column_of(name, [None if gap else cell for gap, cell in zip(gaps, series.to_list(), strict=True)])


def _declared(series: Any) -> pl.Series | None:
    """Return a column of declared categories (pandas' or Arrow's) as one of polars', None for any other."""
    categories = _categories(series.to_native())
    return None if categories is None else _packed(str(series.name), series.to_list(), categories)


def _categories(native: Any) -> list[Any] | None:
    """Return the categories that another library's column declares, None where it declares none."""
    if isinstance(native, pl.Series):
        return None
    if hasattr(native, "cat"):
        return list(native.cat.categories)
    if hasattr(native, "dictionary"):  # an array of Arrow's
        return list(native.dictionary.to_pylist())
    if hasattr(native, "categories") and hasattr(native, "codes"):  # pandas' Categorical
        return list(native.categories)
    if hasattr(native, "unify_dictionaries") and hasattr(native.type, "index_type"):
        chunks = native.unify_dictionaries().chunks
        return list(chunks[0].dictionary.to_pylist()) if chunks else []
    return None


def _packed(name: str, cells: Iterable[Any], categories: Iterable[Any]) -> pl.Series:
    labels = [cell_label(category) or "" for category in categories]
    known = list(dict.fromkeys(label for label in labels if label))
    return pl.Series(name, [cell_label(cell) or None for cell in cells], dtype=pl.Enum(known))


def _refuse_repeated(names: Iterable[object]) -> None:
    seen: set[str] = set()
    for name in map(str, names):
        if name in seen:
            raise TableError("table.repeated-column", column=name)
        seen.add(name)


def _column(name: object, values: Any) -> pl.Series:
    if isinstance(values, dict):  # as pandas writes a frame to JSON: {"a": {"0": 10, "1": 20}}
        values = list(values.values())
    if isinstance(values, (str, bytes)) or not hasattr(values, "__len__"):
        raise TableError("table.scalar-column", column=str(name))
    if isinstance(values, np.ndarray) and values.dtype != object:
        images = values.dtype == np.uint8 and (values.ndim == 3 or values.shape[3:] == (3,))
        numbers = values.dtype in (np.float32, np.float64) and values.ndim > 1 and values.size
        if values.ndim != 1 and not images and not numbers:
            raise TableError("table.array-shape", shape="x".join(map(str, values.shape)))
        if values.dtype.kind == "m":
            values = values.astype("timedelta64[us]")
        elif values.dtype == np.longdouble:
            values = values.astype(np.float64)
        column = pl.Series(str(name), np.ma.getdata(values).astype(values.dtype.newbyteorder("="), copy=False))
        return column.set(pl.Series(values.mask), None) if np.ma.is_masked(values) else column
    if isinstance(values, pl.Series):
        return values.alias(str(name))
    categories = _categories(values)
    if categories is not None:
        cells = values.to_pylist() if hasattr(values, "to_pylist") else list(values)
        return _packed(str(name), cells, categories)
    return column_of(str(name), list(values))


def _array_columns(array: NDArray[Any], names: Sequence[str] | None) -> dict[str, Any]:
    if array.dtype.names:
        return {name: array[name] for name in array.dtype.names}
    if array.ndim != 2:
        raise TableError("table.array-shape", shape="x".join(map(str, array.shape)))
    names = list(names) if names is not None else [f"x{i + 1}" for i in range(array.shape[1])]
    _refuse_repeated(names)
    if len(names) != array.shape[1]:
        raise TableError("table.array-names", names=len(names), columns=array.shape[1])
    return {str(name): array[:, i] for i, name in enumerate(names)}


def _bunch_columns(bunch: dict[str, Any]) -> dict[str, Any]:
    """Return a scikit-learn Bunch's features and its target, the classes by name where it names them."""
    target, target_names = np.asarray(bunch["target"]), bunch.get("target_names")
    data = bunch["data"]
    if hasattr(data, "columns"):
        found = {str(name): data[name] for name in data.columns}
        columns = {name: np.asarray(cells) if _categories(cells) is None else cells for name, cells in found.items()}
    else:
        columns = _array_columns(np.asarray(data), bunch.get("feature_names"))
    if target.ndim == 2:
        labels = target_names if target_names is not None else [f"target{i + 1}" for i in range(target.shape[1])]
        return columns | {str(name): target[:, i] for i, name in enumerate(labels)}
    if target_names is not None and target.dtype.kind in "iu" and target.max(initial=0) < len(target_names):
        target = np.asarray(target_names)[target]
    return columns | {"target": target}
