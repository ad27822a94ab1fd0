"""Random samples of rows that depend on row numbers alone: the same in memory, in parts, on a cluster and in SQL.

A row's key is its number scrambled, of 31 bits, so that every engine's whole numbers hold what is multiplied: a
multiplication and a shifted exclusive or, three times (the finaliser of MurmurHash, Appleby 2008, in fewer bits).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.base.typing import Rows

    Keys = NDArray[np.uint32]

BITS = 31
KEYS = 1 << BITS
HIGH, SEED = 0x05EBCA6B, 0x1E3779B1  # by which what is above 31 bits, and the seed, are spread over them
ROUNDS = ((15, 0x2C1B3C6D), (12, 0x297A2D39), (15, 0x3C6EF373))
LAST = 15
MASK = np.uint32(KEYS - 1)
CACHED = 16_384  # keys made at a time
TESTED = 1_000_000  # rows that a test needs at most: a ten-thousandth of an accuracy shows
TESTED_CELLS = 20_000_000  # of the rows that are tested, which are kept: 160 MB
LOOKED_AT = 20_000  # rows that a diagnosis looks at
EXACT_BELOW = 1_000_000  # rows: of fewer, exactly the share asked for is held back, and of classes each one's


def row_keys(first: int, count: int, seed: int) -> Keys:
    """Return the keys of ``count`` rows from the number ``first`` on, each below KEYS."""
    keys = np.empty(count, dtype=np.uint32)
    for start in range(0, count, CACHED):
        numbers = np.arange(first + start, first + min(start + CACHED, count), dtype=np.uint64)
        made = numbers.astype(np.uint32)
        high = first + count - 1 >> BITS
        if high:
            made += (numbers >> np.uint64(BITS)).astype(np.uint32) * np.uint32(HIGH)
        made += np.uint32((seed + 1) * SEED & 0xFFFFFFFF)
        made &= MASK
        shifted = np.empty_like(made)
        for shift, factor in ROUNDS:
            np.right_shift(made, np.uint32(shift), out=shifted)
            made ^= shifted
            made *= np.uint32(factor)
            made &= MASK
        np.right_shift(made, np.uint32(LAST), out=shifted)
        np.bitwise_xor(made, shifted, out=keys[start : start + CACHED])
    return keys


def enough(share: float, rows: int, most: int) -> float:
    """Return ``share``, halved until so many ``rows`` give ``most`` of them at most."""
    while share * rows > most:
        share /= 2
    return share


def scattered(keys: Keys, codes: Rows | None = None) -> Rows:
    """Return positions of rows in random order, by their keys; those of each class are evenly spread.

    The order depends on the keys and on which rows are of one class alone, so that it is the same however the rows are
    read, and whatever the classes are called.
    """
    order = np.argsort(keys, kind="stable")
    if codes is None or not codes.size:
        return order
    place = np.empty(keys.size)
    counts = np.bincount(codes)
    narrow = codes.astype(np.min_scalar_type(counts.size))  # whose stable sort counts, where they have 16 bits or less
    grouped = order[np.argsort(narrow[order], kind="stable")]
    for mine in np.split(grouped, np.cumsum(counts)[:-1]):
        if mine.size:
            place[mine] = (np.arange(mine.size) + np.bitwise_xor.reduce(keys[mine]) / KEYS) / mine.size
    return np.argsort(place, kind="stable")


@dataclass(frozen=True)
class Draw:
    """Which rows of a table are fitted, tested, and looked at closely, by their keys.

    Rows with a key below ``held`` are not fitted, and those below ``tested`` are tested; those of ``shown`` or more are
    fitted and kept for a diagnosis. ``ranked`` are the numbers of rows whose keys are 0, 1, 2 ..., whatever else their
    numbers would give.
    """

    seed: int
    held: int
    tested: int
    shown: int
    ranked: Rows | None = field(default=None, compare=False)

    @classmethod
    def of(
        cls,
        rows: int,
        share: float | None,
        seed: int,
        *,
        columns: int = 1,
        looked_at: int = LOOKED_AT,
        classes: tuple[Rows, Rows] | None = None,
    ) -> Draw:
        """Hold back a share of the rows: a fifth, or of very many so many as a test needs (None); 0: none.

        Where many ``columns`` are in use, fewer rows are tested: as many as can be kept. ``classes`` are the numbers of
        the rows that are not left out, and the class of each, a whole number: of a table of fewer than EXACT_BELOW rows
        each class is held back in proportion.
        """
        most = min(TESTED, max(TESTED_CELLS // columns, LOOKED_AT))
        held = enough(0.2, rows, most) if share is None else share
        tested = enough(held, rows, most) if held else 0.0
        shown = round((1 - enough(0.5, rows, looked_at)) * KEYS)
        if rows >= EXACT_BELOW or not held:
            return cls(seed, round(held * KEYS), round(tested * KEYS), shown)
        keys = row_keys(0, rows, seed)
        if classes is None:
            return cls(seed, _below(keys, held), _below(keys, tested), shown)
        numbers, codes = classes
        aside, kept = (max(round(part * numbers.size), 1) for part in (held, tested))
        return cls(seed, aside, kept, shown, numbers[scattered(keys[numbers], codes)[:aside]])

    def keys(self, first: int, count: int) -> Keys:
        """Return the keys of ``count`` rows from the number ``first`` on."""
        keys = row_keys(first, count, self.seed)
        if self.ranked is not None:
            np.maximum(keys, np.uint32(self.ranked.size), out=keys)
            here = np.flatnonzero((self.ranked >= first) & (self.ranked < first + count))
            keys[self.ranked[here] - first] = here
        return keys

    def kept(self, keys: Keys) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which rows of some keys are tested, and which are looked at."""
        return keys < self.tested, keys >= self.shown


def _below(keys: Keys, share: float) -> int:
    """Return the key below which a share of the keys lies, exact to one row; at least one key lies below it."""
    count = max(round(share * keys.size), 1)
    return KEYS if count >= keys.size else int(np.partition(keys, count)[count])
