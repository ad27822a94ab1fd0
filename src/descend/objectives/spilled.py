"""A design larger than memory: it is written once to a temporary file, mapped into memory and read block by block.

The rows of each layer of the file are a random draw from the whole table (by their keys). The beginning of the file is
therefore a random sample, and batches are drawn from shuffled blocks.
"""

from __future__ import annotations

import mmap
import os
import shutil
import tempfile
import threading
import weakref
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from descend.base.errors import OptionError
from descend.base.reductions import total_of
from descend.base.threads import at_work, block_rows, map_slices
from descend.objectives.in_memory import RowsObjective
from descend.objectives.rows import DesignRows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.objectives.sufficient_statistics import Sums

Answer = TypeVar("Answer")

SHUFFLED_BYTES = 1_000_000  # of a block: rows that stay together until they are gathered with those of other blocks
GATHERED_BYTES = 64_000_000  # of the blocks that are gathered, and their rows shuffled


class Spill:
    """X and Y (rows x columns, rows x targets) in a file without a name, which the system removes when it is closed.

    ``layers`` are the numbers of rows that the layers will have; ``longest`` is the length of the longest row written.
    Raises OptionError where the folder has no room for them.
    """

    def __init__(self, folder: str | None, layers: NDArray[np.int64], columns: int, targets: int, dtype: str) -> None:
        self.rows, self.columns, self.targets = int(layers.sum()), columns, targets
        self.dtype = np.dtype(dtype)
        where = folder or tempfile.gettempdir()
        size = self.rows * (columns + targets) * self.dtype.itemsize
        _require_room(where, size)
        try:
            self._file: Any = tempfile.TemporaryFile(dir=where)  # noqa: SIM115  has no name: the system removes it
            weakref.finalize(self, self._file.close)
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(self._file.fileno(), 0, max(size, 1))
            else:
                self._file.truncate(max(size, 1))
        except OSError as error:
            raise OptionError("option.scratch", path=where, reason=error.strerror or str(error)) from error
        self._map = mmap.mmap(self._file.fileno(), max(size, 1))
        numbers = np.frombuffer(self._map, self.dtype, self.rows * (columns + targets))
        self.X = numbers[: self.rows * columns].reshape(self.rows, columns)
        self.Y = numbers[self.rows * columns :].reshape(self.rows, targets)
        self._next = np.concatenate([[0], np.cumsum(layers)[:-1]])
        self._last = threading.local()
        self.longest = 0.0

    @property
    def data(self) -> DesignRows:
        """The rows in the file."""
        return DesignRows(self.X, self.Y)

    def write(self, data: DesignRows, layers: NDArray[np.int64]) -> None:
        """Append rows to their layers; they are sorted by layer, and ``layers`` are how many each gets."""
        X, Y = np.ascontiguousarray(data.X, self.dtype), np.ascontiguousarray(data.Y, self.dtype)
        lengths = np.sqrt(np.einsum("ij,ij->i", X, X))
        self.longest = max(self.longest, float(lengths.max(initial=0.0)))
        ends = np.cumsum(layers)
        for layer in np.flatnonzero(layers):
            rows, place = slice(ends[layer] - layers[layer], ends[layer]), int(self._next[layer])
            self._put(X[rows], place * self.columns)
            self._put(Y[rows], self.rows * self.columns + place * self.targets)
        self._next += layers

    def _put(self, numbers: Floats, place: int) -> None:
        data, at = numbers.data.cast("B"), place * self.dtype.itemsize
        while data:  # past the mapping, whose pages would count as this process's memory
            written = os.pwrite(self._file.fileno(), data, at)
            data, at = data[written:], at + written

    def reading(self, rows: slice) -> None:
        """Release the pages of the rows that this thread read last; the system's cache may keep them."""
        before = getattr(self._last, "rows", None)
        self._last.rows = rows
        if before is None or not hasattr(mmap, "MADV_DONTNEED"):
            return
        for width, offset in ((self.columns, 0), (self.targets, self.rows * self.columns)):
            first = (offset + before.start * width) * self.dtype.itemsize // mmap.PAGESIZE * mmap.PAGESIZE
            last = (offset + min(before.stop, self.rows) * width) * self.dtype.itemsize
            if last > first:
                self._map.madvise(mmap.MADV_DONTNEED, first, last - first)


@dataclass(frozen=True)
class SpilledObjective(RowsObjective):
    """The loss over rows in a file; ``sums`` hold their Gram matrix, where a survey has added it up."""

    spill: Spill | None = None
    sums: Sums | None = None

    def gram(self) -> Floats:
        """Return X'X."""
        return super().gram() if self.sums is None else self.sums.gram

    def longest_row(self, inverse_root: Floats | None = None) -> float:
        """Return the greatest length of a row of X; times ``inverse_root``, the greatest that it can have then."""
        if self.spill is None:
            return super().longest_row(inverse_root)
        return self.spill.longest * (1.0 if inverse_root is None else float(np.linalg.norm(inverse_root, 2)))

    def in_double(self) -> RowsObjective:
        """Return itself: a spill that is not in float64 was asked to be so."""
        return self

    def sampled(self, every: int, seed: int = 0) -> RowsObjective:
        """Return the objective of so many of the first rows, which are a random draw; ``seed`` changes nothing."""
        size = len(self.X) // every
        return replace(self, data=self.data.part(slice(size)), sums=None)

    def shuffled(self, random: np.random.Generator) -> tuple[NDArray[np.int64], int]:
        """Return blocks of rows in an order drawn at random, and a seed for the order in which their rows are taken."""
        return blocks_in_order(self.data, random)

    def batches(self, size: int, order: Any, *, drop_last: bool = False) -> Iterator[RowsObjective]:
        """Yield the objective of each ``size`` rows of the shuffled blocks, many blocks being gathered at a time."""
        read = None if self.spill is None else self.spill.reading
        for rows in batches_of_blocks(self.data, order, size, read, drop_last=drop_last):
            yield RowsObjective(rows, self.loss, self.outputs, self.penalty)

    def _block(self, rows: slice) -> DesignRows:
        if self.spill is not None:
            self.spill.reading(rows)
        return super()._block(rows)


@dataclass(frozen=True)
class SpilledRows:
    """The rows of a spill as parts that can be asked: consecutive rows of the file, which the threads share."""

    spill: Spill

    def ask(self, question: Callable[[DesignRows], Answer]) -> Iterator[Answer]:
        """Yield the answer of each part, in the order of the file."""
        spill, data = self.spill, self.spill.data

        def task(rows: slice) -> Answer:
            spill.reading(rows)
            return question(data.part(rows))

        return map_slices(at_work(task), spill.rows, block_rows(spill.columns + spill.targets))

    def total(self, question: Callable[[DesignRows], Any]) -> tuple[NDArray[Any], ...]:
        """Return the sums of all parts' answers, numbers or arrays."""
        return total_of(self.ask(question))

    def release(self) -> None:
        """Do nothing: the file goes with its last user."""


def blocks_in_order(data: DesignRows, random: np.random.Generator) -> tuple[NDArray[np.int64], int]:
    """Return the blocks of spilled rows in an order drawn at random, and a seed for the order of their rows."""
    return random.permutation(-(-len(data) // _together(data))), int(random.integers(2**63))


def batches_of_blocks(
    data: DesignRows, order: Any, size: int, read: Callable[[slice], None] | None, *, drop_last: bool
) -> Iterator[DesignRows]:
    """Yield ``size`` rows at a time of blocks in the ``order`` of ``blocks_in_order``, many being gathered at a time.

    read: is told of each block whose rows were copied.
    """
    blocks, seed = order
    random = np.random.default_rng(seed)
    together = _together(data)
    some = max(GATHERED_BYTES // (together * data.X[:1].nbytes), 1)
    X, Y = data.X[:0], data.Y[:0]
    for first in range(0, blocks.size, some):
        starts = blocks[first : first + some] * together
        chosen = np.concatenate([np.arange(start, min(start + together, len(data))) for start in starts])
        mixed = random.permutation(chosen.size)
        X = np.concatenate([X, _copied(data.X, chosen, together, read)[mixed]])
        Y = np.concatenate([Y, _copied(data.Y, chosen, together, read)[mixed]])
        whole = len(X) // size * size
        for start in range(0, whole, size):
            yield DesignRows(X[start : start + size], Y[start : start + size])
        X, Y = X[whole:], Y[whole:]
    if len(X) and not drop_last:
        yield DesignRows(X, Y)


def _together(data: DesignRows) -> int:
    return max(SHUFFLED_BYTES // max(data.X[:1].nbytes, 1), 1)


def _copied(numbers: Floats, chosen: NDArray[np.int64], together: int, read: Callable[[slice], None] | None) -> Floats:
    """Copy rows block by block, and tell who releases the pages of each block."""
    made = np.empty((chosen.size, numbers.shape[1]), numbers.dtype)
    for start in range(0, chosen.size, together):
        rows = chosen[start : start + together]
        numbers.take(rows, axis=0, out=made[start : start + rows.size], mode="clip")
        if read is not None:
            read(slice(int(rows[0]), int(rows[-1]) + 1))
    return made


def _require_room(folder: str, size: int) -> None:
    """Raise OptionError where a folder is missing or has less room than so many bytes."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise OptionError("option.scratch", path=folder, reason=error.strerror or str(error)) from error
    if free < size:
        raise OptionError("option.scratch-full", path=folder, needed=size / 1e9, free=free / 1e9)
