"""descend beside one peer after another, where there is nothing to tune: each case once to warm up, then in turn."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from benchmarks.clock import in_turn

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Peer:
    """What is compared with; ``needs`` are the modules that it is made of."""

    name: str
    needs: tuple[str, ...]
    run: Callable[[], float]


@dataclass(frozen=True)
class Case:
    """Something to do, by descend and by peers; each returns its seconds."""

    what: str
    ours: Callable[[], float]
    peers: tuple[Peer, ...]


@dataclass(frozen=True)
class Pair:
    """The medians of one case and one peer."""

    what: str
    ours: float
    peer: str
    theirs: float


def measure(case: Case, repeats: int) -> tuple[list[Pair], list[str]]:
    """Return descend beside every peer that is installed, and the names of those that are not."""
    present = [peer for peer in case.peers if all(find_spec(module) for module in peer.needs)]
    runs = [case.ours, *(peer.run for peer in present)]
    in_turn(runs, 1)
    ours, *theirs = in_turn(runs, repeats)
    pairs = [Pair(case.what, ours, peer.name, seconds) for peer, seconds in zip(present, theirs, strict=True)]
    return pairs, [peer.name for peer in case.peers if peer not in present]
