"""The steps of the lesson on tensors: the same in NumPy and in PyTorch, and their expected results.

A step is one lambda per library, each alone on its line: that line is shown, so the text cannot differ from the code
    that runs. Its first argument is the library; the others are values of GIVEN, made anew for every step.
"""

from __future__ import annotations

import linecache
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

GIVEN: dict[str, Any] = {
    "v": [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
    "m": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]],
    "a": [[3.0, 3.0]],
    "b": [[2.0, 2.0]],
    "row": [[1.0, 2.0]],
    "three": [3.0],
    "column": [[3.0], [4.0]],
    "A": [[1.0, 2.0], [3.0, 4.0]],
    "B": [[1.0], [2.0]],
    "p": [1.0, 2.0],
    "q": [3.0, 4.0],
    "T": [[[1.0] * 4] * 3] * 2,
    "U": [[[1.0] * 5] * 4] * 2,
    "i": [1, 2],
    "t": [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]],
    "s": [[0], [1], [2]],
    "w": [0, 1, 2],
    "f": [1.9, -1.9],
    "yes": [True, False, False, True],
    "x": [[1, 2], [3, 4]],
    "y": [[5, 6], [7, 8]],
    "c": [1, 4],
    "d": [2, 5],
    "e": [3, 6],
}


@dataclass(frozen=True)
class Refusal:
    """An error in place of a result; two are equal when their types are, whatever the message."""

    kind: str
    words: str = field(default="", compare=False)


@dataclass(frozen=True)
class Step:
    """A step in both libraries and its expected result; ``torch_gives`` where PyTorch's differs.

    dtype: the expected type of number, where the step is about that.
    """

    name: str
    numpy: Callable[..., Any]
    torch: Callable[..., Any]
    gives: Any
    torch_gives: Any = None
    dtype: str = ""

    @property
    def expected(self) -> dict[str, Any]:
        """The expected result, by library."""
        return {"NumPy": self.gives, "PyTorch": self.gives if self.torch_gives is None else self.torch_gives}


def source_of(function: Callable[..., Any]) -> str:
    """Return the source of a lambda that stands alone on its line."""
    where = function.__code__
    line = linecache.getline(where.co_filename, where.co_firstlineno).strip().removesuffix(",")
    return line.partition(": ")[2]


TITLED: dict[str, tuple[Step, ...]] = {
    "rank": (
        Step(
            "rank-vector",
            lambda np: np.array([1.0, 2.0, 3.0]),
            lambda torch: torch.tensor([1.0, 2.0, 3.0]),
            [1, 2, 3],
        ),
        Step(
            "rank-dim",
            lambda np, v: v.ndim,
            lambda torch, v: v.dim(),
            1,
        ),
        Step(
            "rank-shape",
            lambda np, v: v.shape,
            lambda torch, v: v.shape,
            (7,),
        ),
        Step(
            "rank-matrix",
            lambda np, m: (m.ndim, m.shape),
            lambda torch, m: (m.dim(), m.size()),
            (2, (2, 3)),
        ),
    ),
    "index": (
        Step(
            "index-one",
            lambda np, v: (v[0], v[-1]),
            lambda torch, v: (v[0], v[-1]),
            (0, 6),
        ),
        Step(
            "index-slice",
            lambda np, v: v[2:5],
            lambda torch, v: v[2:5],
            [2, 3, 4],
        ),
        Step(
            "index-open",
            lambda np, v: (v[:2], v[3:]),
            lambda torch, v: (v[:2], v[3:]),
            ([0, 1], [3, 4, 5, 6]),
        ),
        Step(
            "index-column",
            lambda np, m: m[:, 1],
            lambda torch, m: m[:, 1],
            [2, 5],
        ),
        Step(
            "index-but-last",
            lambda np, m: m[:, :-1],
            lambda torch, m: m[:, :-1],
            [[1, 2], [4, 5]],
        ),
    ),
    "broadcast": (
        Step(
            "broadcast-same",
            lambda np, a, b: a + b,
            lambda torch, a, b: a + b,
            [[5, 5]],
        ),
        Step(
            "broadcast-scalar",
            lambda np, row, three: row + three,
            lambda torch, row, three: row + three,
            [[4, 5]],
        ),
        Step(
            "broadcast-both",
            lambda np, row, column: row + column,
            lambda torch, row, column: row + column,
            [[4, 5], [5, 6]],
        ),
        Step(
            "broadcast-never",
            lambda np, v, p: v + p,
            lambda torch, v, p: v + p,
            Refusal("ValueError"),
            Refusal("RuntimeError"),
        ),
    ),
    "product": (
        Step(
            "product-matmul",
            lambda np, A, B: A @ B,
            lambda torch, A, B: A @ B,
            [[5], [11]],
        ),
        Step(
            "product-elements",
            lambda np, A, B: A * B,
            lambda torch, A, B: A * B,
            [[1, 2], [6, 8]],
        ),
        Step(
            "product-named",
            lambda np, A, B: np.matmul(A, B),
            lambda torch, A, B: torch.matmul(A, B),
            [[5], [11]],
        ),
        Step(
            "product-dot",
            lambda np, p, q: np.dot(p, q),
            lambda torch, p, q: torch.dot(p, q),
            11,
        ),
        Step(
            "product-dot-matrix",
            lambda np, A, B: np.dot(A, B),
            lambda torch, A, B: torch.dot(A, B),
            [[5], [11]],
            Refusal("RuntimeError"),
        ),
        Step(
            "product-stacks",
            lambda np, T, U: np.matmul(T, U).shape,
            lambda torch, T, U: torch.matmul(T, U).shape,
            (2, 3, 5),
        ),
        Step(
            "product-dot-stacks",
            lambda np, T, U: np.dot(T, U).shape,
            lambda torch, T, U: torch.tensordot(T, U, dims=([2], [1])).shape,
            (2, 3, 2, 5),
        ),
    ),
    "reduce": (
        Step(
            "reduce-mean",
            lambda np, A: A.mean(),
            lambda torch, A: A.mean(),
            2.5,
        ),
        Step(
            "reduce-mean-integers",
            lambda np, i: i.mean(),
            lambda torch, i: i.mean(),
            1.5,
            Refusal("RuntimeError"),
        ),
        Step(
            "reduce-mean-cast",
            lambda np, i: i.mean(),
            lambda torch, i: i.float().mean(),
            1.5,
        ),
        Step(
            "reduce-sum",
            lambda np, A: A.sum(),
            lambda torch, A: A.sum(),
            10,
        ),
        Step(
            "reduce-sum-rows",
            lambda np, A: A.sum(axis=0),
            lambda torch, A: A.sum(dim=0),
            [4, 6],
        ),
        Step(
            "reduce-sum-columns",
            lambda np, A: A.sum(axis=1),
            lambda torch, A: A.sum(dim=1),
            [3, 7],
        ),
        Step(
            "reduce-max",
            lambda np, A: (A.max(), A.argmax()),
            lambda torch, A: (A.max(), A.argmax()),
            (4, 3),
        ),
        Step(
            "reduce-max-dim",
            lambda np, A: (A.max(axis=0), A.argmax(axis=0)),
            lambda torch, A: A.max(dim=0),
            ([3, 4], [1, 1]),
        ),
    ),
    "reshape": (
        Step(
            "reshape-view",
            lambda np, t: t.reshape(-1, 3),
            lambda torch, t: t.view(-1, 3),
            [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]],
        ),
        Step(
            "reshape-three",
            lambda np, t: t.reshape(-1, 1, 3).shape,
            lambda torch, t: t.view(-1, 1, 3).shape,
            (4, 1, 3),
        ),
        Step(
            "reshape-refused",
            lambda np, x: x.T.reshape(4),
            lambda torch, x: x.T.view(4),
            [1, 3, 2, 4],
            Refusal("RuntimeError"),
        ),
        Step(
            "reshape-copies",
            lambda np, x: x.T.reshape(4),
            lambda torch, x: x.T.reshape(4),
            [1, 3, 2, 4],
        ),
        Step(
            "reshape-squeeze",
            lambda np, s: np.squeeze(s),
            lambda torch, s: s.squeeze(),
            [0, 1, 2],
        ),
        Step(
            "reshape-unsqueeze",
            lambda np, w: np.expand_dims(w, 0),
            lambda torch, w: w.unsqueeze(0),
            [[0, 1, 2]],
        ),
        Step(
            "reshape-unsqueeze-last",
            lambda np, w: np.expand_dims(w, -1),
            lambda torch, w: w.unsqueeze(-1),
            [[0], [1], [2]],
        ),
    ),
    "cast": (
        Step(
            "cast-float",
            lambda np, i: i.astype(np.float32),
            lambda torch, i: i.float(),
            [1, 2],
            dtype="float32",
        ),
        Step(
            "cast-dtype",
            lambda np, i: (i.dtype, i.astype(np.float32).dtype),
            lambda torch, i: (i.dtype, i.float().dtype),
            ("int64", "float32"),
        ),
        Step(
            "cast-cut",
            lambda np, f: f.astype(np.int64),
            lambda torch, f: f.long(),
            [1, -1],
            dtype="int64",
        ),
        Step(
            "cast-bool",
            lambda np, yes: yes.astype(np.int64),
            lambda torch, yes: yes.long(),
            [1, 0, 0, 1],
            dtype="int64",
        ),
    ),
    "join": (
        Step(
            "join-rows",
            lambda np, x, y: np.concatenate([x, y], axis=0),
            lambda torch, x, y: torch.cat([x, y], dim=0),
            [[1, 2], [3, 4], [5, 6], [7, 8]],
        ),
        Step(
            "join-columns",
            lambda np, x, y: np.concatenate([x, y], axis=1),
            lambda torch, x, y: torch.cat([x, y], dim=1),
            [[1, 2, 5, 6], [3, 4, 7, 8]],
        ),
        Step(
            "join-stack",
            lambda np, c, d, e: np.stack([c, d, e]),
            lambda torch, c, d, e: torch.stack([c, d, e]),
            [[1, 4], [2, 5], [3, 6]],
        ),
        Step(
            "join-stack-last",
            lambda np, c, d, e: np.stack([c, d, e], axis=1),
            lambda torch, c, d, e: torch.stack([c, d, e], dim=1),
            [[1, 2, 3], [4, 5, 6]],
        ),
        Step(
            "join-ones",
            lambda np, x: np.ones_like(x),
            lambda torch, x: torch.ones_like(x),
            [[1, 1], [1, 1]],
            dtype="int64",
        ),
        Step(
            "join-zeros",
            lambda np, x: np.zeros_like(x),
            lambda torch, x: torch.zeros_like(x),
            [[0, 0], [0, 0]],
            dtype="int64",
        ),
    ),
    "place": (
        Step(
            "place-new",
            lambda np, x: (np.multiply(x, 2), x),
            lambda torch, x: (x.mul(2), x),
            ([[2, 4], [6, 8]], [[1, 2], [3, 4]]),
        ),
        Step(
            "place-same",
            lambda np, x: (np.multiply(x, 2, out=x), x),
            lambda torch, x: (x.mul_(2), x),
            ([[2, 4], [6, 8]], [[2, 4], [6, 8]]),
        ),
    ),
}
