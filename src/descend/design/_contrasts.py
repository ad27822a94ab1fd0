"""Which categories of a term keep all their levels, so that no column is determined by the others."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from descend.formula.ast import Factor, Hypothesis

    Subterm = dict[Factor, bool]


def subterms_of(hypothesis: Hypothesis, categories: Collection[Factor]) -> list[list[Subterm]]:
    """Return for every term the blocks that it is coded by: the categories of each, and whether with all levels.

    A product of categories says what the contrasts of each subset of them say (of none: the intercept, or what the
    term's numbers say alone). What terms with the same numbers, of lower order or before it, have said is left out; of
    the rest two subsets that differ by one category become one block, in which that category has all its levels. So
    where all combinations of levels have rows, the columns are independent and span all the terms (Chambers and Hastie
    1992, section 2.4.1; Smith 2011, patsy). In ``a:b`` beside an intercept alone: ``b``, then ``a`` by all levels of
    ``b``.
    """
    if not categories:
        return [[{}] for _ in hypothesis.terms]
    said: dict[frozenset[Factor], set[frozenset[Factor]]] = {}
    if hypothesis.intercept:
        said[frozenset()] = {frozenset()}
    found: dict[int, list[Subterm]] = {}
    for place, term in sorted(enumerate(hypothesis.terms), key=lambda item: len(item[1])):
        own = [factor for factor in term if factor in categories]
        already = said.setdefault(frozenset(term) - frozenset(own), set())
        subsets = [kept for size in range(len(own) + 1) for kept in combinations(own, size)]
        found[place] = _put_together([kept for kept in subsets if frozenset(kept) not in already])
        already.update(map(frozenset, subsets))
    return [found[place] for place in range(len(hypothesis.terms))]


def _put_together(subsets: Iterable[tuple[Factor, ...]]) -> list[Subterm]:
    """Return subsets of categories, the smaller before the larger, as few blocks, by the same greedy way as patsy."""
    left: list[Subterm] = [dict.fromkeys(kept, False) for kept in subsets]
    while (pair := _pair(left)) is not None:
        short, long = pair
        left[short] |= dict.fromkeys(left[long].keys() - left[short].keys(), True)
        del left[long]
    return sorted(left, key=len)


def _pair(subterms: list[Subterm]) -> tuple[int, int] | None:
    """Return where the first two stand of which one is the other and the contrasts of one category more."""
    for first, short in enumerate(subterms):
        for second in range(first + 1, len(subterms)):
            long = subterms[second]
            if len(long) == len(short) + 1 and long == dict.fromkeys(long, False) | short:
                return first, second
    return None
