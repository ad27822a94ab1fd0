"""Findings of the design matrix: too few rows, columns without effect, columns that determine one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from descend.analysis.diagnosis.finding import FINDINGS, FindingKind, Sign
from descend.analysis.diagnosis.remedies.settings import each_of, setting, shrink, shrink_at_all
from descend.analysis.diagnosis.remedies.terms import (
    leave_column,
    leave_constants,
    leave_design_column,
    orthogonal,
)
from descend.analysis.diagnosis.subsample import listed, placed
from descend.formula.ast import grouped, names_of
from descend.formula.notation import written

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.analysis.diagnosis.evidence import Evidence
    from descend.analysis.diagnosis.finding import Severity
    from descend.analysis.diagnosis.remedies.case import Offer
    from descend.analysis.diagnosis.subsample import Subsample
    from descend.base.typing import Floats
    from descend.design.matrix import Design

ROWS_A_PARAMETER = 10  # the usual rule of thumb (Harrell 2015, section 4.4, asks for 10 to 20)
TEXTBOOK = 10  # rows: with fewer the verdict already says how little they prove
INFLATED = 1e3  # variance inflation: two columns correlated 0.9995; 10, the textbook's, is what any product term has
TIED = 1e-5  # of the largest share in a flat direction: less is rounding
ROUNDING = 1e-6  # of a flat direction's length
TOLD = 3  # groups of columns that determine one another


def look_at_columns(evidence: Evidence) -> list[Sign]:
    """Return what the design matrix alone shows."""
    design, sample, l2 = evidence.design, evidence.sample, evidence.recipe.l2
    empty, dead, bare = _empty_levels(design)
    constant = design.constant & ~dead
    columns, pictured = int((~dead & ~constant).sum()), bool(design.pixels.any())
    if pictured:
        found = []  # pixels are many, alike, and blank at the edges: that is as it should be
    elif columns > sample.rows and not l2:
        found = [Sign("more-columns", {"columns": columns, "rows": sample.rows})]
    else:
        found = _few_rows(sample.rows, columns)
    found += empty
    found += _constant(design, constant)
    if columns > sample.rows or l2 or pictured or not sample.factored:
        return found
    gone = constant | dead | _in_its_stead(design, bare)
    groups = _tied(_flat(evidence, sample, gone))
    spare = np.zeros(len(design.names), dtype=bool)
    for group in groups:
        spare[group[-1]] = True
    for group in groups[:TOLD]:
        tied = [design.names[index] for index in group]
        values = {"columns": listed(tied), "last": tied[-1], "groups": len(groups)}
        found.append(Sign("collinear", values))
    return found + _near_collinear(design, sample, ~(gone | spare) & design.penalised)


def _constant(design: Design, constant: NDArray[np.bool_]) -> list[Sign]:
    """Find columns that are the same in every row, and columns whose numbers differ by rounding only."""
    found = []
    for nearly in (False, True):
        chosen = constant & ((design.spreads > 0) == nearly)
        if chosen.any():
            names = [name for name, mark in zip(design.names, chosen, strict=True) if mark]
            first = next(block.term for block, place in placed(design) if chosen[place].any())
            values = {"columns": listed(names), "first": written(first)}
            found.append(Sign("nearly-constant" if nearly else "constant", values))
    return found


def _few_rows(rows: int, columns: int) -> list[Sign]:
    if rows >= ROWS_A_PARAMETER * columns or 2 <= rows < TEXTBOOK:
        return []
    values = {"rows": rows, "parameters": columns, "enough": ROWS_A_PARAMETER * columns}
    return [Sign("few-rows", values, "warning" if rows < 2 else None)]


def _empty_levels(design: Design) -> tuple[list[Sign], NDArray[np.bool_], set[str]]:
    """Find levels without fitted rows; return also a mask of their columns, and the categories whose reference is one.

    An indicator's mean square is its level's share of the rows, so the reference's share is what the others leave. A
    product is not told where one of its levels already is.
    """
    found, dead = [], np.zeros(len(design.names), dtype=bool)
    told, bare = set[str](), set[str]()
    for block, place in placed(design):
        codes = [code for code in block.codes if code.levels]
        if not codes:
            continue
        zero = design.sizes[place] == 0
        dead[place] = zero
        missing = [
            name for name, none in zip(block.names, zero, strict=True) if none and not told & set(name.split(":"))
        ]
        (code, *others) = codes
        alone = not others and len(block.codes) == 1
        left = 1 - np.square(design.sizes[place]).sum()
        if alone and code.reference is not None and design.sizes.any() and abs(left) < 1e-12:
            missing.insert(0, f"{code.column}[{code.reference}]")
            bare.add(code.column)
        if missing:
            told |= set(missing)
            values = {"column": code.column, "levels": listed(missing)}
            found.append(Sign("empty-level", values))
    return found, dead, bare


def _in_its_stead(design: Design, bare: set[str]) -> NDArray[np.bool_]:
    """Mark the columns of the first level with rows of the categories (``bare``) whose reference has none.

    If that level were the reference, no level would be missing: without its columns the others are not collinear for
    that reason.
    """
    chosen = np.zeros(len(design.names), dtype=bool)
    for block, place in placed(design):
        each, own = 1, np.arange(len(block.names))
        for code in block.codes:
            count = len(code.names)
            if code.reference is not None and code.column in bare:
                level = own // each % count
                live = level[design.sizes[place] > 0]
                chosen[place] |= level == live.min(initial=count)
            each *= count
    return chosen


def _flat(evidence: Evidence, sample: Subsample, gone: NDArray[np.bool_]) -> Floats:
    """Return the directions that change no prediction, columns x directions, in shares of the columns' sizes.

    The columns that are ``gone`` are 0 in every row, so each is such a direction by itself; the directions without
    them are returned.
    """
    sizes = np.where(gone, 1.0, evidence.design.scaled_sizes)[:, None]
    flat = sample.flat if evidence.quadratic is None else evidence.quadratic.flat
    if evidence.quadratic is None and flat.size and not sample.whole:
        # a direction that is flat on all rows is flat on a sample: only those of the sample are tested on all rows
        lengths = np.linalg.norm(flat * sizes, axis=0)  # 0 of directions in columns of zeros alone
        flat = flat[:, lengths > 0] / lengths[lengths > 0]
        moved = evidence.objective.X @ flat.astype(evidence.objective.X.dtype)
        _, spread, V = np.linalg.svd(moved.astype(np.float64).T @ moved.astype(np.float64))
        limit = np.finfo(evidence.objective.X.dtype).eps * len(moved)
        flat = flat @ V[np.sqrt(spread) <= limit].T
    flat = flat * sizes
    if not gone.any() or not flat.size:
        return np.asarray(flat)
    even, _ = np.linalg.qr(flat)
    _, shares, V = np.linalg.svd(even[gone])
    kept = even @ V[int((shares > ROUNDING).sum()) :].T
    kept[gone] = 0.0
    return np.asarray(kept)


def _tied(flat: Floats) -> list[list[int]]:
    """Return groups of columns of which the last is determined by the others, from the row echelon form."""
    A = flat.T.copy()
    groups, row = [], 0
    for column in reversed(range(len(flat))):
        if row == len(A):
            break
        pivot = row + int(np.argmax(np.abs(A[row:, column])))
        if abs(A[pivot, column]) <= TIED * np.abs(flat).max():
            continue
        A[[row, pivot]] = A[[pivot, row]]
        A[row] /= A[row, column]
        others = np.arange(len(A)) != row
        A[others] -= A[others, column][:, None] * A[row]
        row += 1
    for line in A[:row]:
        group = np.flatnonzero(np.abs(line) > TIED * np.abs(line).max()).tolist()
        if len(group) > 1:
            groups.append(group)
    return groups[::-1]


def _near_collinear(design: Design, sample: Subsample, used: NDArray[np.bool_]) -> list[Sign]:
    """Find columns that the others nearly determine, by their variance inflation factor (Marquardt 1970).

    It is computed from the adjusted R squared, so that few rows alone do not inflate it.
    """
    rows = sample.chosen.size
    used = used & (np.abs(sample.X).max(axis=0) > 0)
    columns = np.flatnonzero(used)
    freedom = rows - columns.size - int(design.hypothesis.intercept)
    if columns.size < 2 or freedom < 1:
        return []
    spread, V = sample.even(columns, centred=design.hypothesis.intercept)
    inflation = np.square(V / np.maximum(spread, 1e-15)).sum(axis=1) * freedom / (rows - 1)
    worst = np.flatnonzero(inflation > INFLATED)
    if worst.size < 2:
        return []
    order = worst[np.argsort(-inflation[worst], kind="stable")]
    chosen = [int(columns[index]) for index in order]
    powers = _powers(design, chosen)
    values = {"columns": listed([design.names[index] for index in sorted(chosen)]), "inflation": inflation.max()}
    if powers is not None:
        return [Sign("raw-powers", {**values, "term": f"poly({powers}, {len(chosen)})"})]
    return [Sign("near-collinear", {**values, "first": design.names[chosen[0]]})]


def _powers(design: Design, chosen: list[int]) -> str | None:
    """Return the column of which all chosen ones are powers; None where there is no such column."""
    bases = set()
    for block, place in placed(design):
        if not any(place.start <= index < place.stop for index in chosen):
            continue
        (code, *others) = block.codes
        if others or code.expression is None:
            return None
        bases |= {grouped(name) for name in names_of(code.expression)}
    return bases.pop() if len(bases) == 1 else None


def _kind(name: str, severity: Severity, offers: Offer) -> None:
    FINDINGS.add(FindingKind(name, look_at_columns, "columns", severity, offers=offers))


_kind("more-columns", "error", shrink)
_kind("few-rows", "hint", shrink_at_all)
_kind("empty-level", "warning", each_of(setting("remedy.all-rows", test="none"), leave_column))
_kind("constant", "hint", leave_constants)
_kind("nearly-constant", "warning", leave_constants)
_kind("collinear", "warning", each_of(leave_design_column("last"), shrink))
_kind("near-collinear", "warning", each_of(leave_design_column("first"), shrink))
_kind("raw-powers", "hint", orthogonal)
