"""How long a fit takes and how much memory it needs, estimated from its rows and columns before it begins.

Only the work that grows faster than the table and reports no progress is counted: products of columns with columns,
and eigenvalues. Epochs and readings of a table report their progress as they go.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from descend.base.errors import FitError
from descend.base.memory import available

if TYPE_CHECKING:
    from descend.objectives.losses import Loss
    from descend.solvers.recipe import Recipe

SPEED = 2e10  # sums (a product and an addition) that a core makes of large matrices in a second
EIGEN = 40  # sums for each cell of a cube: what eigenvalues and vectors take at the speed of products (20), as often
# as they are taken: again of scaled columns, and by a triangle where some columns determine others
HESSIANS = 4  # that are taken on the way to a minimum: each serves several steps
INVERSES = 3  # that a guess of a softmax's curvature is taken anew on the way
COPIES = 3  # of the design matrix that are held at once
SQUARES = 6  # matrices of columns x columns: the products, scaled ones, their vectors and what these are worked out in
BATCH = 256  # rows of the batches that are proposed
LARGEST_HESSIAN = 600  # parameters of several outputs: the Hessian of more takes longer than the steps that it saves


@dataclass(frozen=True)
class Effort:
    """What one fit over ``rows`` x ``columns`` takes.

    ``sums`` are the multiply-adds without progress, ``bytes`` the memory, of which ``held`` are the rows' own.
    """

    rows: int
    columns: int
    sums: float
    held: int
    bytes: int

    @classmethod
    def of(cls, rows: int, columns: int, outputs: int, loss: Loss, recipe: Recipe) -> Effort:
        """Estimate a fit of ``rows`` x ``columns`` with so many outputs."""
        held = 8 * COPIES * rows * columns
        if recipe.batch_size is not None:
            return cls(rows, columns, 0.0, held, held)
        sums = sums_at_once(rows, columns, outputs, loss, optimum=recipe.method == "auto")
        return cls(rows, columns, sums, held, held + 8 * SQUARES * min(rows, columns) ** 2)

    def require(self, recipe: Recipe, refits: int = 0) -> None:
        """Raise FitError where the fit and ``refits`` take longer than allowed, or more memory than is free."""
        free = available()
        values = {"rows": self.rows, "columns": self.columns}
        if self.bytes > free:
            code = "fit.too-large" if self.held > free or recipe.batch_size is not None else "fit.too-large-at-once"
            raise FitError(code, **values, needed=self.bytes / 1e9, free=free / 1e9, batch=BATCH)
        minutes = self.minutes * (1 + refits)
        if minutes > recipe.minutes:
            code = "fit.too-long" if self.minutes > recipe.minutes else "fit.too-long-test"
            asked = float(f"{minutes * 1.5:.1g}")
            raise FitError(code, **values, took=minutes, most=recipe.minutes, asked=asked, refits=refits, batch=BATCH)

    @property
    def minutes(self) -> float:
        """The estimated minutes of the sums."""
        return minutes(self.sums)


def sums_at_once(rows: int, columns: int, outputs: int, loss: Loss, *, optimum: bool) -> float:
    """Return the multiply-adds of a fit of all rows at once that report no progress.

    optimum: those of a fit to the optimum; else those that find the learning rate of a run of epochs.
    With fewer rows than columns the work is done in the space that the rows span.
    """
    side = min(rows, columns)
    spanned = 0.0 if side == columns else float(rows) ** 2 * columns
    bends, eigen = rows * float(side) ** 2, EIGEN * float(side) ** 3
    if loss.quadratic:
        return spanned + bends + eigen
    if not optimum:
        return spanned + bends + eigen / 4  # the largest eigenvalue alone
    if hessian_is_small(side, outputs):
        return spanned + HESSIANS * (outputs * (outputs + 1) / 2 * bends + eigen * outputs**3)
    return spanned + INVERSES * (bends + eigen)


def hessian_is_small(columns: int, outputs: int) -> bool:
    """Tell whether the Hessian of all parameters is worth its cost to a solver."""
    return outputs == 1 or columns * outputs <= LARGEST_HESSIAN


def minutes(sums: float) -> float:
    """Return the estimated minutes of so many sums on this machine's cores."""
    return sums / SPEED / _cores() / 60


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
