"""Rows drawn by their number alone: the same ones in memory, read part by part, on many machines or in a database.

A row's key is its number scrambled, of 31 bits, so that every engine's whole numbers hold what is multiplied: a
multiplication and a shifted exclusive or, three times (the finaliser of MurmurHash, Appleby 2008, in fewer bits).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = NDArray[np.int64]
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


@dataclass(frozen=True)
class Draw:
    """Which rows of a large table are fitted, tested, and looked at closely, by their keys.

    Rows with a key below ``held`` are not fitted, and those below ``tested`` are tested; those of ``shown`` or more are
    fitted and kept for a diagnosis.
    """

    seed: int
    held: int
    tested: int
    shown: int

    @classmethod
    def of(cls, rows: int, share: float | None, seed: int, *, columns: int = 1, looked_at: int = LOOKED_AT) -> Draw:
        """Hold back a share of the rows: a fifth, or of very many so many as a test needs (None); 0: none.

        Where many ``columns`` are in use, fewer rows are tested: as many as can be kept.
        """
        most = min(TESTED, max(TESTED_CELLS // columns, LOOKED_AT))
        held = enough(0.2, rows, most) if share is None else share
        tested = enough(held, rows, most) if held else 0.0
        shown = enough(0.5, rows, looked_at)
        return cls(seed, round(held * KEYS), round(tested * KEYS), round((1 - shown) * KEYS))

    def keys(self, first: int, count: int) -> Keys:
        """Return the keys of ``count`` rows from the number ``first`` on."""
        return row_keys(first, count, self.seed)

    def kept(self, keys: Keys) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which rows of some keys are tested, and which are looked at."""
        return keys < self.tested, keys >= self.shown
