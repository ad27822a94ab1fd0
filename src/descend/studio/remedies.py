"""What a button beside a finding or an error does: the change of the formula and the settings that mends it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from descend.analysis.diagnosis.subsample import listed, placed
from descend.base.errors import FormulaError, OptionError
from descend.base.messages import Note
from descend.design.encodings import NumberCode
from descend.formula import edits
from descend.formula.ast import Arithmetic, Name
from descend.formula.notation import quoted, written
from descend.formula.parser import parse
from descend.objectives.networks.architecture import parse_architecture
from descend.solvers.recipe import Recipe
from descend.studio import rereading
from descend.studio.changes import OF_A_RUN, Case, Change, faster, longer, optimum, slower, sooner, standardise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from descend.analysis.diagnosis import Finding
    from descend.analysis.forecast import Forecast
    from descend.base.errors import DescendError
    from descend.design.matrix import Design
    from descend.formula.ast import Term
    from descend.studio.reading import Reading

    Offer = Callable[[Case], list[Change]]

__all__ = ["Change", "changes_for", "changes_for_error"]

L2 = 0.01
DROPOUT = 0.2
WEIGHT_DECAY = 0.01
STRONGER = 10  # times what was not enough
NETWORK = "mlp(64)"
AS_FOUND: Reading = {}  # of a file that is read as it is found to be


def changes_for(
    finding: Finding | Note,
    formula: str,
    settings: dict[str, Any],
    forecast: Forecast | None,
    design: Design,
    reading: Reading | None = AS_FOUND,
) -> list[Change]:
    """Return what a click can do about a finding or a note of a fit, the best first; [] where a click can do nothing.

    formula, settings, forecast, design: those of the fit; reading: how the file was read, None where there is none. A
    change to settings that no recipe takes is not offered.
    """
    known = [*design.uses, *(name.name for name in design.hypothesis.outputs)]
    case = Case(finding.values, formula, settings, Recipe(**settings), forecast, known, design, reading=reading)
    offer = (FOR_NOTES if isinstance(finding, Note) else FOR_FINDINGS).get(finding.code)
    return _possible(case, offer(case)) if offer else []


def changes_for_error(
    error: DescendError,
    formula: str,
    settings: dict[str, Any],
    forecast: Forecast | None = None,
    columns: Sequence[str] = (),
    texts: Sequence[str] = (),
    reading: Reading | None = AS_FOUND,
) -> list[Change]:
    """Return what a click can do about an error; [] where a click can do nothing.

    forecast: of the run, where there is one; columns: those of the table, where they are known, and which of them are
    text; reading: how its file is read, None where there is none.
    """
    recipe = Recipe(**settings) if _sound(settings) else Recipe()
    if forecast is None:
        forecast = getattr(getattr(error, "model", None), "forecast", None)
    case = Case(error.values, formula, settings, recipe, forecast, columns, texts=texts, reading=reading)
    offer = FOR_ERRORS.get(error.code)
    try:
        return _possible(case, offer(case)) if offer else []
    except FormulaError:  # the formula has more faults than the one that is told
        return []


def _possible(case: Case, changes: Iterable[Change]) -> list[Change]:
    """Return the changes that change something, and do not spoil settings that a recipe takes."""
    sound, kept = _sound(case.settings), []
    for change in changes:
        formula, settings = change.applied(case.formula, case.settings)
        changed = (formula, settings) != (case.formula, case.settings) and (not sound or _sound(settings))
        if case.reading is not None if change.reading else changed:
            kept.append(change)
    return kept


def _sound(settings: dict[str, Any]) -> bool:
    try:
        Recipe(**settings)
    except OptionError:
        return False
    return True


def _set(code: str, **settings: Any) -> Offer:
    """Return the offer of settings that are the same in every case; the label tells them."""
    return lambda case: [case.setting(Note(code, settings), **settings)]


SOFTMAX = _set("remedy.softmax", family="softmax", loss=None)
HUBER = _set("remedy.huber", loss="huber")
WITHOUT_ROWS = _set("remedy.drop", missing="drop")
WITH_MEANS = _set("remedy.mean", missing="mean")


# the hypothesis


def _leave_out(case: Case, terms: Sequence[Term], name: str) -> list[Change]:
    """Leave terms out, and the products that hold one of them."""
    if not terms:
        return []
    text = edits.without(case.formula, terms, case.known)
    return case.writing(Note("remedy.leave-out", {"columns": name}), text)


def _leave_first(case: Case) -> list[Change]:
    """Leave out the term that the finding names first, as a formula has it."""
    first = case.values["first"]
    return _leave_out(case, [term for term in case.fit.hypothesis.terms if written(term) == first], first)


def _leave_design_column(key: str) -> Offer:
    """Return the offer to leave out the term of a column of the design, where the term is that column and no more."""

    def offer(case: Case) -> list[Change]:
        name = case.values[key]
        terms = [block.term for block in case.fit.blocks if block.names == [name]]
        return _leave_out(case, [term for term in terms if term in case.fit.hypothesis.terms], name)

    return offer


def _leave_constants(case: Case) -> list[Change]:
    design, terms = case.fit, []
    for block, place in placed(design):
        numbers = all(isinstance(code, NumberCode) for code in block.codes)  # levels without rows are another matter
        if numbers and design.constant[place].all():
            terms.append(block.term)
    return _leave_out(case, terms, listed([written(term) for term in terms]))


def _leave_column(case: Case) -> list[Change]:
    """Leave out every term that uses the column of the table that is told."""
    column = case.values["column"]
    hypothesis = edits.resolved(case.formula, [*case.known, column])
    case = replace(case, known=[*case.known, column])
    return _leave_out(case, edits.terms_with(hypothesis, column), column)


def _bend(key: str) -> Offer:
    """Return the offer of poly(column, 2) for a column of numbers that is in the hypothesis as it is."""

    def offer(case: Case) -> list[Change]:
        column, design = case.values[key], case.fit
        if design.uses.get(column) != "number" or (Arithmetic(Name(column)),) not in design.hypothesis.terms:
            return []
        text = edits.with_bend(case.formula, column, case.known)
        return case.writing(Note("remedy.bend", {"term": f"poly({quoted(column)}, 2)"}), text)

    return offer


def _orthogonal(case: Case) -> list[Change]:
    """Write orthogonal polynomials for the plain powers of a column."""
    for column in case.fit.uses:
        if case.values["term"].startswith(f"poly({column}, "):
            text = edits.with_orthogonal(case.formula, column, case.known)
            return case.writing(Note("remedy.orthogonal", {"column": column}), text)
    return []


def _even_out(case: Case) -> list[Change]:
    """Predict the target's logarithm where the errors are more even there."""
    if "written" not in case.values:
        return []
    formula = case.values["written"][1:-1]
    (target,) = parse(formula).targets
    return [Change(Note("remedy.predict", {"target": str(target)}), formula, {})]


def _rename(key: str) -> Offer:
    """Return the offer of the column that is near to the one that is not there."""

    def offer(case: Case) -> list[Change]:
        found, near = case.values[key], case.values["near"]
        label = Note("remedy.rename", {"found": found, "near": near})
        return case.writing(label, edits.renamed(case.formula, found, near))

    return offer


def _rename_function(case: Case) -> list[Change]:
    found, near, at = (case.values[name] for name in ("found", "near", "position"))
    if not case.formula.startswith(found, at):
        return []
    text = f"{case.formula[:at]}{near}{case.formula[at + len(found) :]}"
    return case.writing(Note("remedy.rename", {"found": found, "near": near}), text)


# the loss and its penalty


def _shrink(case: Case) -> list[Change]:
    l2 = STRONGER * case.recipe.l2 or L2
    return [case.setting(Note("remedy.l2", {"l2": l2}), l2=l2)]


def _shrink_at_all(case: Case) -> list[Change]:
    return [] if case.recipe.l2 else _shrink(case)


# networks


def _regularise(case: Case) -> list[Change]:
    """Add dropout and weight decay to a network that is named."""
    found, decay = [], STRONGER * case.recipe.weight_decay or WEIGHT_DECAY
    if isinstance(case.recipe.hypothesis, str):
        network = parse_architecture(case.recipe.hypothesis)
        if not network.dropout and network.sizes:
            label = Note("remedy.dropout", {"dropout": DROPOUT})
            found.append(case.setting(label, hypothesis=str(replace(network, dropout=DROPOUT))))
    found.append(case.setting(Note("remedy.weight-decay", {"weight_decay": decay}), weight_decay=decay))
    return found


def _network(case: Case) -> list[Change]:
    """Take a network with its usual optimizer in the place of an equation."""
    kept = ("patience", "validation")
    back = dict.fromkeys([name for name in (*OF_A_RUN, "l2", "init") if name not in kept and name in case.settings])
    return [case.setting(Note("remedy.network", {"hypothesis": NETWORK}), hypothesis=NETWORK, **back)]


# the rows


def _missing(case: Case) -> list[Change]:
    """Leave rows out; or fill a column of numbers, which a target is not to be."""
    target = {name.name for name in edits.resolved(case.formula, case.known).outputs}
    filled = [] if case.values["column"] in target else WITH_MEANS(case)
    return [*WITHOUT_ROWS(case), *filled, *rereading.markers_as_text(case)]


def _smaller_numbers(case: Case) -> list[Change]:
    wide = case.setting(Note("remedy.float64", {}), dtype=None)
    return [*([wide] if case.recipe.arithmetic == "float32" and not case.recipe.networked else []), *standardise(case)]


def _reset(case: Case) -> list[Change]:
    name = case.values["name"]
    return [case.setting(Note("remedy.reset", {"name": name}), **{name: None})]


def _from_zero(case: Case) -> list[Change]:
    return [case.setting(Note("remedy.reset", {"name": "init"}), init=None)]


def _both(*offers: Offer) -> Offer:
    return lambda case: [change for offer in offers for change in offer(case)]


FOR_FINDINGS: dict[str, Offer] = {
    "finding.untrained": optimum,
    "finding.unscaled": standardise,
    "finding.rate-too-large": slower,
    "finding.rate-bounces": slower,
    "finding.rate-too-small": faster,
    "finding.not-converged": longer,
    "finding.not-converged-least": longer,
    "finding.not-converged-unsteady": optimum,
    "finding.not-arrived": _shrink,
    "finding.not-arrived-from": _from_zero,
    "finding.not-arrived-raw": standardise,
    "finding.overfit": _both(sooner, _shrink),
    "finding.underfit": _bend("first"),
    "finding.leakage": _leave_first,
    "finding.leakage-classes": _leave_first,
    "finding.separable": _shrink,
    "finding.quasi-separable": _shrink,
    "finding.more-columns": _shrink,
    "finding.few-rows": _shrink_at_all,
    "finding.empty-level": _both(_set("remedy.all-rows", test="none"), _leave_column),
    "finding.constant": _leave_constants,
    "finding.nearly-constant": _leave_constants,
    "finding.collinear": _both(_leave_design_column("last"), _shrink),
    "finding.near-collinear": _both(_leave_design_column("first"), _shrink),
    "finding.raw-powers": _orthogonal,
    "finding.missing-code": rereading.as_missing("value"),
    "finding.outliers": HUBER,
    "finding.curvature": _bend("column"),
    "finding.heteroscedastic": _even_out,
    "finding.overfit-network": _both(_regularise, sooner),
    "finding.underfit-image": _network,
}

FOR_NOTES: dict[str, Offer] = {
    "note.encoding-doubted": rereading.other_encoding,
    "note.comma-thousands": rereading.decimal_commas,
}

FOR_ERRORS: dict[str, Offer] = {
    "table.decimal-comma": rereading.decimal_commas,
    "table.undecodable": rereading.encodings,
    "table.wrong-encoding": rereading.encodings,
    "table.binary": rereading.unmarked,
    "table.preamble": rereading.header_at("first"),
    "table.double-header": rereading.header_at("line"),
    "table.comments": rereading.without_comments,
    "table.footer": rereading.without_footer,
    "table.bad-cell": rereading.as_missing("found"),
    "table.like-numbers": SOFTMAX,
    "table.missing": _missing,
    "table.missing-no-mean": WITHOUT_ROWS,
    "table.all-dropped": WITH_MEANS,
    "table.all-missing": _leave_column,
    "formula.unknown-column-near": _rename("found"),
    "formula.function-near": _rename_function,
    "design.no-column-near": _rename("column"),
    "design.one-level": _leave_column,
    "design.all-distinct": _leave_column,
    "design.not-two": SOFTMAX,
    "design.zero-target": _set("remedy.loss", loss="mae"),
    "design.negative-target": _set("remedy.loss", loss="mse"),
    "option.loss-family": _set("remedy.own-loss", loss=None, delta=None),
    "option.no-effect": _reset,
    "fit.diverged": slower,
    "fit.diverged-stable": slower,
    "fit.diverged-bound": slower,
    "fit.diverged-stable-raw": _both(standardise, slower),
    "fit.diverged-bound-raw": _both(standardise, slower),
    "fit.not-finite": _smaller_numbers,
    "fit.squares-not-finite": standardise,
}
