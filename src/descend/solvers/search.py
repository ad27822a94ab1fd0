"""What a search for the minimum of an equation has found besides it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from descend.base.typing import Floats


@dataclass(frozen=True)
class OtherMinimum:
    """A minimum that is not the best one: its loss and its parameters."""

    loss: float
    parameters: Floats


@dataclass(frozen=True)
class Search:
    """How the minimum of an equation was searched for, and what is known of it.

    starts: from how many starts the search went down; given: whether one of them was given. drawn: from how many draws
    they were chosen. reached: how many of the starts led to the best minimum. others: the other minima that were seen,
    the best first. seconds: how long it took.
    at_bound: the parameters that a bound stopped.
    undetermined: directions in which the parameters can change without a change of any prediction, each by parameter:
    the rows do not determine these.
    endless: the direction in which the parameters went on while the loss hardly fell, by parameter (the share of their
    own values by which they would change), empty where the minimum was reached.
    """

    starts: int = 1
    given: bool = False
    drawn: int = 0
    reached: int = 1
    others: tuple[OtherMinimum, ...] = ()
    seconds: float = 0.0
    at_bound: tuple[str, ...] = ()
    undetermined: tuple[Mapping[str, float], ...] = ()
    endless: Mapping[str, float] | None = None
