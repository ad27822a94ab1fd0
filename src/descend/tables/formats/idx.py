"""Image files as arrays: IDX, the format of MNIST, and the labels beside it.

An IDX file is two zero bytes, a type byte, the number of dimensions, each dimension as four bytes, the largest first,
and the values, the last dimension running fastest (LeCun, Cortes and Burges, "The MNIST database").
"""

from __future__ import annotations

import math
import re
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from descend.base.errors import TableError
from descend.base.texts import shape_text
from descend.tables.formats._format import FORMATS, File, Format, bytes_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.tables.reading_options import ReadingOptions

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MOST_DIMENSIONS = 4
NAME = re.compile(r"[.-]idx\d?(-u?byte)?(\.gz)?$", re.IGNORECASE)


class Idx(Format):
    """Images of bytes, with the labels that lie beside them, or labels alone."""

    name = "idx"
    title = "IDX"
    endings = (".idx",)
    inside = "images.gz::labels.gz"
    images = True
    whole = "format.whole-images"
    unwritten = "format.unwritten-images"

    def has_signature(self, data: bytes) -> bool:
        """Tell an IDX file by its first four bytes."""
        return data[:2] == b"\0\0" and _is_known(data)

    def is_named(self, name: str) -> bool:
        """Tell an IDX file by its name, as in ``train-images-idx3-ubyte.gz``."""
        return bool(NAME.search(name))

    def frame(self, file: File, options: ReadingOptions) -> pl.DataFrame:
        """Read images and their labels, or labels."""
        columns = image_columns(parse_idx(file.data, file.name), file.name)
        labels = label_file(file.path, file.inner) if "image" in columns else None
        if labels is not None:
            found = parse_idx(bytes_of(str(labels)), labels.name)
            columns["label"] = label_column(found, labels.name, len(columns["image"]))
        return pl.DataFrame(columns)


def parse_idx(data: bytes, name: str) -> NDArray[Any]:
    """Return the values of an IDX file in its shape; raises TableError where its header or its length is wrong."""
    if len(data) < 4 or data[:2] != b"\0\0":
        raise TableError("table.idx-magic", file=name, found=data[:4].hex(" ") or "-")
    if data[2] not in TYPES:
        raise TableError("table.idx-type", file=name, found=f"0x{data[2]:02x}")
    dimensions = data[3]
    start = 4 + 4 * dimensions
    if not _is_known(data):
        raise TableError("table.idx-dimensions", file=name, found=dimensions)
    if len(data) < start:
        raise TableError("table.idx-short", file=name, shape="?", found=len(data), expected=start)
    shape = struct.unpack(f">{dimensions}I", data[4:start])
    dtype = np.dtype(TYPES[data[2]])
    whole = start + math.prod(shape) * dtype.itemsize
    if len(data) != whole:
        code = "table.idx-short" if len(data) < whole else "table.idx-long"
        raise TableError(code, file=name, shape=shape_text(shape), found=len(data), expected=whole)
    return np.frombuffer(data, dtype, offset=start).reshape(shape)


def image_columns(array: NDArray[Any], name: str) -> dict[str, Any]:
    """Return what an IDX file's values are as columns: ``image``, or ``label`` where they have one dimension.

    Raises TableError for values that are neither images of bytes nor labels.
    """
    if array.ndim == 1:
        return {"label": label_column(array, name)}
    images = array.ndim == 3 or (array.ndim == 4 and array.shape[3] == 3)
    if array.dtype != np.uint8 or not images or 0 in array.shape[1:]:
        raise TableError("table.idx-shape", file=name, shape=shape_text(array.shape), kind=array.dtype.name)
    return {"image": array} if len(array) else {}


def label_column(array: NDArray[Any], name: str, images: int | None = None) -> pl.Series:
    """Return labels as text, since they name classes; raises TableError where there are not as many as images."""
    if array.ndim != 1 or array.dtype.kind not in "ui":
        raise TableError("table.idx-labels", file=name, shape=shape_text(array.shape), kind=array.dtype.name)
    if images is not None and len(array) != images:
        raise TableError("table.idx-counts", file=name, labels=len(array), images=images)
    return pl.Series(array.astype(np.int64)).cast(pl.String)


def label_file(path: str, named: str) -> Path | None:
    """Return the label file of an image file: the one ``named``, else the one that MNIST's names lead to, else None.

    train-images-idx3-ubyte.gz -> train-labels-idx1-ubyte.gz, or without .gz.
    """
    images = Path(path)
    if named:
        beside = images.with_name(named) if Path(named).name == named else images.parent / named
        return Path(named) if Path(named).is_file() or not beside.is_file() else beside
    twin = re.sub("idx[34]", "idx1", images.name.replace("images", "labels"))
    bare = twin.removesuffix(".gz")
    if bare == images.name.removesuffix(".gz"):  # the same images, packed or not
        return None
    found = (images.with_name(name) for name in (twin, bare, f"{bare}.gz"))
    return next((candidate for candidate in found if candidate.is_file()), None)


def _is_known(data: bytes) -> bool:
    return len(data) >= 4 and data[2] in TYPES and 1 <= data[3] <= MOST_DIMENSIONS


FORMATS.add(Idx())
