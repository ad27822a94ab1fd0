"""What a race is: one problem, those who solve it, and what each of their settings came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from descend.objectives.in_memory import RowsObjective

    Floats = NDArray[np.floating[Any]]

TOLERANCES = tuple(10.0**-power for power in range(2, 15))
DOUBLING = tuple(float(2**power) for power in range(16))
NEWTON = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 12.0, 16.0, 32.0, 64.0)


class Absent(Exception):
    """The data of a race are not here."""


@dataclass(frozen=True)
class Contestant:
    """One way to solve a problem.

    ``run`` takes a setting and returns the weights, flat, in the order of columns x outputs. ``rungs`` are the settings
    from loose to tight and ``sets`` what they set; a direct method has one rung and sets nothing. ``needs`` is the
    module that it is made of.
    """

    name: str
    needs: str
    run: Callable[[float], Floats]
    rungs: tuple[float, ...] = (1.0,)
    sets: str = ""


@dataclass(frozen=True)
class Race:
    """One problem for all; descend is the first contestant, to which the others are compared.

    ``target`` is the excess loss to reach. Each of ``pairs`` names two contestants whose ratio is worth a line.
    """

    name: str
    title: str
    objective: RowsObjective
    target: float
    contestants: tuple[Contestant, ...]
    pairs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Rung:
    """What one setting came to in one run."""

    setting: float
    seconds: float
    excess: float


@dataclass
class Standing:
    """How a contestant fared: ``end`` says why it climbed no further (reached, cap, stopped or failed), ``waited`` the
    seconds of all its runs, ``longest`` those of the slowest and ``seconds`` the median at the deciding one.
    """

    contestant: Contestant
    rungs: list[Rung] = field(default_factory=list)
    end: str = ""
    waited: float = 0.0
    longest: float = 0.0
    deciding: Rung | None = None
    seconds: float | None = None
    runs: int = 0
    memory: float | None = None

    @property
    def nearest(self) -> float:
        """The least excess loss that it came to."""
        return min((rung.excess for rung in self.rungs), default=float("nan"))


def settings(objective: RowsObjective) -> str:
    """Return the problem's size in words."""
    columns, outputs = objective.shape
    return f"{objective.rows:,} rows x {columns} columns" + (f" x {outputs} classes" if outputs > 1 else "")
