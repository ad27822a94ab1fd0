"""Tables already in memory: frames of other libraries, columns, records and arrays, as one polars frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from descend.errors import TableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray


def from_memory(source: Any, names: Sequence[str] | None) -> pl.DataFrame:
    """Return a polars frame for any of the objects that ``read`` takes."""
    if isinstance(source, pl.DataFrame):
        return source
    if isinstance(source, np.ndarray):
        source = _array_columns(source, names)
    elif isinstance(source, dict) and type(source) is not dict and {"data", "target"} <= source.keys():
        source = _bunch_columns(source)
    if isinstance(source, dict):
        _refuse_repeated(source)
        columns = {str(name): _column(name, values) for name, values in source.items()}
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) > 1:
            raise TableError("table.unequal", lengths=", ".join(f"{name}: {n}" for name, n in lengths.items()))
        return pl.DataFrame(columns)
    if isinstance(source, (list, tuple)) and source and all(isinstance(row, dict) for row in source):
        records = [{str(name): value for name, value in row.items()} for row in source]
        return pl.DataFrame(records, infer_schema_length=None, strict=False)
    if hasattr(source, "collect") and hasattr(source, "lazy"):
        source = source.collect()
    import narwhals

    names_given = getattr(source, "column_names", getattr(source, "columns", None))
    if names_given is not None and not callable(names_given):
        _refuse_repeated(names_given)
    try:
        frame = narwhals.from_native(source, eager_only=True)
    except TypeError as error:
        raise TableError("table.unknown-object", type=type(source).__name__) from error
    try:
        made: pl.DataFrame = frame.to_polars()
        return made
    except (ModuleNotFoundError, ValueError, TypeError):  # pandas without pyarrow, or a column of mixed types
        return pl.DataFrame({str(name): pl.Series(frame[name].to_list(), strict=False) for name in frame.columns})


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
        return pl.Series(str(name), values)
    return pl.Series(str(name), list(values), strict=False)


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
        columns = {str(name): np.asarray(data[name]) for name in data.columns}
    else:
        columns = _array_columns(np.asarray(data), bunch.get("feature_names"))
    if target.ndim == 2:
        labels = target_names if target_names is not None else [f"target{i + 1}" for i in range(target.shape[1])]
        return columns | {str(name): target[:, i] for i, name in enumerate(labels)}
    if target_names is not None and target.dtype.kind in "iu" and target.max(initial=0) < len(target_names):
        target = np.asarray(target_names)[target]
    return columns | {"target": target}
