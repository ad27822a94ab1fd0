"""Remedies that write another formula: without a term, with a bend, with another name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from descend.analysis.diagnosis.change import Change
from descend.analysis.diagnosis.subsample import listed, placed
from descend.base.messages import Note
from descend.formula import edits
from descend.formula.ast import Arithmetic, Name
from descend.formula.notation import quoted, written
from descend.formula.parser import parse
from descend.solvers.parameter_settings import names_given

if TYPE_CHECKING:
    from collections.abc import Sequence

    from descend.analysis.diagnosis.remedies.case import Case, Offer
    from descend.formula.ast import Term


def _leave_out(case: Case, terms: Sequence[Term], name: str) -> list[Change]:
    """Leave terms out, and the products that hold one of them."""
    if not terms:
        return []
    text = edits.without(case.formula, terms, case.known)
    return case.writing(Note("remedy.leave-out", {"columns": name}), text)


def leave_first(case: Case) -> list[Change]:
    """Leave out the term that the finding names first, as a formula has it."""
    first = case.values["first"]
    return _leave_out(case, [term for term in case.fit.hypothesis.terms if written(term) == first], first)


def leave_design_column(key: str) -> Offer:
    """Return the offer to leave out the term of a column of the design, where the term is that column and no more."""

    def offer(case: Case) -> list[Change]:
        name = case.values[key]
        terms = [block.term for block in case.fit.blocks if block.names == [name]]
        return _leave_out(case, [term for term in terms if term in case.fit.hypothesis.terms], name)

    return offer


def leave_constants(case: Case) -> list[Change]:
    """Leave out the terms of numbers that are the same in every row."""
    design, terms = case.fit, []
    for block, place in placed(design):
        numbers = all(code.value is not None for code in block.codes)  # levels without rows are another matter
        if numbers and design.constant[place].all():
            terms.append(block.term)
    return _leave_out(case, terms, listed([written(term) for term in terms]))


def leave_column(case: Case) -> list[Change]:
    """Leave out every term that uses the column of the table that is told."""
    column = case.values["column"]
    hypothesis = edits.resolved(case.formula, [*case.known, column])
    case = replace(case, known=[*case.known, column])
    return _leave_out(case, edits.terms_with(hypothesis, column), column)


def bend(key: str) -> Offer:
    """Return the offer of poly(column, 2) for a column of numbers that is in the hypothesis as it is."""

    def offer(case: Case) -> list[Change]:
        column, design = case.values[key], case.fit
        if design.uses.get(column) != "number" or (Arithmetic(Name(column)),) not in design.hypothesis.terms:
            return []
        text = edits.with_bend(case.formula, column, case.known)
        return case.writing(Note("remedy.bend", {"term": f"poly({quoted(column)}, 2)"}), text)

    return offer


def orthogonal(case: Case) -> list[Change]:
    """Write orthogonal polynomials for the plain powers of a column."""
    for column in case.fit.uses:
        if case.values["term"].startswith(f"poly({column}, "):
            text = edits.with_orthogonal(case.formula, column, case.known)
            return case.writing(Note("remedy.orthogonal", {"column": column}), text)
    return []


def predict_logarithm(case: Case) -> list[Change]:
    """Predict the target's logarithm where the errors are more even there."""
    if "written" not in case.values:
        return []
    formula = case.values["written"][1:-1]
    (target,) = parse(formula).targets
    return [Change(Note("remedy.predict", {"target": str(target)}), formula)]


def rename(key: str) -> Offer:
    """Return the offer of the column that is near to the one that is not there."""

    def offer(case: Case) -> list[Change]:
        found, near = case.values[key], case.values["near"]
        label = Note("remedy.rename", {"found": found, "near": near})
        return case.writing(label, edits.renamed(case.formula, found, near))

    return offer


def declare_parameter(case: Case) -> list[Change]:
    """Say that a name that is near to a column's is a parameter."""
    found = case.values["found"]
    names = [*names_given(case.recipe.parameters), found]
    return [case.setting(Note("remedy.declare", {"parameter": found}), parameters=names)]


def rename_function(case: Case) -> list[Change]:
    """Write the function that is near to the one that is not there."""
    found, near, at = (case.values[name] for name in ("found", "near", "position"))
    if not case.formula.startswith(found, at):
        return []
    text = f"{case.formula[:at]}{near}{case.formula[at + len(found) :]}"
    return case.writing(Note("remedy.rename", {"found": found, "near": near}), text)
