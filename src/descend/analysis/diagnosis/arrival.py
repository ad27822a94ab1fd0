"""Whether a run has reached the optimum, as far as its own record shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from descend.objectives.quadratic import GramObjective
    from descend.solvers.history import History

ARRIVED = 0.01  # of the excess loss at the start, or of the gradient norm there


def arrived(history: History, quadratic: GramObjective | None = None) -> bool:
    """Tell whether a run ended near the optimum.

    The solver of ``auto`` says so itself. Of another run on squared error the excess loss must have fallen to a
    hundredth of that at the start; of any other loss the gradient's norm must have.
    """
    if history.optimizer == "auto":
        return history.stop in ("optimum", "solved")
    won = excess(history, quadratic)
    if won is None:
        return history.final_gradient_norm <= ARRIVED * float(history.gradient_norm[0])
    first, last = won
    return first <= 0 or last <= ARRIVED * first


def excess(history: History, quadratic: GramObjective | None) -> tuple[float, float] | None:
    """Return the excess loss at the start and at the end; None where the least loss is not known."""
    if quadratic is None:
        return None
    last = history.gap if history.gap is not None else history.final_loss - quadratic.least
    return float(history.loss[0]) - quadratic.least, float(last)
