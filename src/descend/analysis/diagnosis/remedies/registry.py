"""The remedies of errors and notes by their codes; those of a finding are on its kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from descend.analysis.diagnosis.remedies import reading as files
from descend.analysis.diagnosis.remedies import run, terms
from descend.analysis.diagnosis.remedies import settings as others
from descend.analysis.diagnosis.remedies.case import Case, Offer, are_settings
from descend.base.registry import Registry
from descend.solvers.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from descend.analysis.diagnosis.change import Change
    from descend.analysis.forecast import Forecast
    from descend.base.errors import DescendError
    from descend.base.messages import Note

AS_FOUND: Mapping[str, Any] = {}  # of a file that is read as it is found to be


@dataclass(frozen=True)
class RemedyOfCode:
    """What mends an error or a note of that code (``name``): the changes that it ``offers``, the best first."""

    name: str
    offers: Offer


REMEDIES: Registry[RemedyOfCode] = Registry("remedy")


def changes_for(
    told: DescendError | Note,
    formula: str,
    settings: dict[str, Any],
    forecast: Forecast | None = None,
    columns: Sequence[str] = (),
    texts: Sequence[str] = (),
    reading: Mapping[str, Any] | None = AS_FOUND,
) -> tuple[Change, ...]:
    """Return the changes that mend an error or what a note tells, the best first; () where there is none.

    formula, settings: those that were stated. forecast: of the run, where there is one. columns: those of the table,
    where they are known; texts: which of them are text. reading: how its file is read, None where there is none.
    """
    if told.code not in REMEDIES:
        return ()
    recipe = Recipe(**settings) if are_settings(settings) else Recipe()
    if forecast is None:
        forecast = getattr(getattr(told, "model", None), "forecast", None)
    case = Case(told.values, formula, settings, recipe, forecast, columns, texts=texts, reading=reading)
    return case.possible(REMEDIES[told.code].offers)


def _offer(offers: Offer, *codes: str) -> None:
    for code in codes:
        REMEDIES.add(RemedyOfCode(code, offers))


_offer(files.other_encoding, "note.encoding-doubted")
_offer(files.decimal_commas, "note.comma-thousands", "table.decimal-comma")
_offer(files.encodings, "table.undecodable", "table.wrong-encoding")
_offer(files.unmarked, "table.binary")
_offer(files.header_at("first"), "table.preamble")
_offer(files.header_at("line"), "table.double-header")
_offer(files.without_comments, "table.comments")
_offer(files.without_footer, "table.footer")
_offer(files.as_missing("found"), "table.bad-cell")
_offer(others.without_missing, "table.missing")
_offer(others.without_rows, "table.missing-no-mean")
_offer(others.with_means, "table.all-dropped")
_offer(others.softmax_instead, "table.like-numbers", "design.not-two")
_offer(terms.leave_column, "table.all-missing", "design.one-level", "design.all-distinct")
_offer(terms.rename("found"), "formula.unknown-column-near")
_offer(lambda case: [*terms.rename("found")(case), *terms.declare_parameter(case)], "formula.parameter-or-column")
_offer(terms.rename_function, "formula.function-near")
_offer(terms.rename("column"), "design.no-column-near")
_offer(others.setting("remedy.loss", loss="mae"), "design.zero-target")
_offer(others.setting("remedy.loss", loss="mse"), "design.negative-target")
_offer(others.setting("remedy.own-loss", loss=None, delta=None), "option.loss-family")
_offer(others.reset, "option.no-effect")
_offer(run.slower, "fit.diverged", "fit.left-domain", "fit.diverged-stable", "fit.diverged-bound")
_offer(others.each_of(run.standardise, run.slower), "fit.diverged-stable-raw", "fit.diverged-bound-raw")
_offer(others.smaller_numbers, "fit.not-finite")
_offer(run.standardise, "fit.squares-not-finite")
