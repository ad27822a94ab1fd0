"""The MNIST digits, from gzipped IDX files (LeCun, Cortes and Burges 1998)."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contest import Absent

ROOT = Path(__file__).parent.parent
PLACES = (ROOT.parent / "shared" / "data", ROOT / "tests" / "data")
IMAGES, LABELS = "mnist-train-images-idx3-ubyte.gz", "mnist-train-labels-idx1-ubyte.gz"


def digits() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return ones and 784 pixels in [0, 1], and the class codes.

    Raises Absent where there are no such files.
    """
    for place in PLACES:
        if (place / IMAGES).exists() and (place / LABELS).exists():
            images, labels = idx(place / IMAGES), idx(place / LABELS)
            X = np.ones((len(images), 1 + images[0].size))
            X[:, 1:] = images.reshape(len(images), -1) / 255
            return X, labels[:, None].astype(np.float64)
    raise Absent("no MNIST files in tests/data")


def idx(path: Path) -> np.ndarray[Any, Any]:
    """Return an IDX file of bytes: two zeros, the type, the number of dimensions, the dimensions, the values."""
    content = gzip.decompress(path.read_bytes())
    _, kind, dimensions = struct.unpack(">HBB", content[:4])
    if kind != 8:
        raise Absent(f"{path.name} does not hold bytes")
    end = 4 + 4 * dimensions
    shape = struct.unpack(f">{dimensions}I", content[4:end])
    return np.frombuffer(content, dtype=np.uint8, offset=end).reshape(shape)
