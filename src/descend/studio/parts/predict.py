"""A form that predicts a row of typed values, with its interval."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from descend.base.errors import DescendError
from descend.base.messages import Note, say
from descend.model.cautions import medians
from descend.studio.parts.part import PagePart
from descend.studio.widgets import Field, tag
from descend.tables.open import typed_row

if TYPE_CHECKING:
    import polars as pl

    from descend.fitting.model import Model
    from descend.studio.study import Study

MOST = 24


class PredictPart(PagePart):
    """Fields for the columns of a row, and its prediction."""

    def __init__(self, study: Study) -> None:
        super().__init__(study)
        self.typed: dict[str, str] = {}
        self.mean = False  # for a transformed target, whose prediction is a median
        self.body = tag("div")
        self.show()

    def show(self) -> None:
        """Show a field for every column of the shown run."""
        self.body.clear()
        model = self.study.model if self.study.run is not None else None
        with self.body:
            if model is None:
                tag("p", "empty", self.say("nothing-to-predict"))
                return
            uses = model.design.uses
            if len(uses) > MOST or "image" in uses.values():
                tag("p", "empty", self.say("predict-elsewhere"))
                return
            self.typed = {name: self.typed.get(name, _usual(model, name)) for name in uses}
            with tag("div", "predict"):
                for name, use in uses.items():
                    self._field(model, name, use)
            if medians(model.target):
                help = say("help.mean", self.study.lang)
                Field("check", self.say("predict-mean"), self.mean, self._take_mean, help=help)
            with tag("div", aria_live="polite"):
                self.answer = tag("p", "answer")
                self.more = tag("p")
        self._predict()

    def _field(self, model: Model, name: str, use: str) -> None:
        def put(value: str) -> None:
            self.typed[name] = value
            self._predict()

        if use == "category":
            levels = [(level, level) for level in model.design.levels[name]]
            Field("select", name, self.typed[name], put, options=levels)
        else:
            Field("number", name, self.typed[name], put, on_typing=put)

    def _take_mean(self, mean: bool) -> None:
        self.mean = mean
        self._predict()

    def _predict(self) -> None:
        model = self.study.model
        if model is None:
            return
        row = {name: value.strip() for name, value in self.typed.items() if name in model.design.uses}
        wrong = [name for name, use in model.design.uses.items() if use == "number" and not _is_number(row[name])]
        try:
            if wrong:
                answer, more = "", self.say("predict-number", column=wrong[0])
            else:
                answer, more = _prediction_text(model, row, self, mean=self.mean)
                more = " · ".join(filter(None, [more, *self._cautions(model, row)]))
        except DescendError as error:
            answer, more = "", error.tell(self.study.lang)
        self.answer._text, self.more._text = answer, more
        self.answer.update()
        self.more.update()

    def _cautions(self, model: Model, row: dict[str, str]) -> list[str]:
        """Return the cautions of ``Model.cautions`` about one row."""
        told = {"note.beyond": "beyond", "note.median": "" if self.mean else "median"}
        notes = model.cautions(typed_row(row))
        return [self.say(told[note.code], **note.values) for note in notes if told[note.code]]


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _usual(model: Model, name: str) -> str:
    """Return a field's first value: the mean of a number, the first level of a category."""
    if name in model.design.levels:
        return str(model.design.levels[name][0])
    return f"{model.means.get(name, 0.0):.4g}"


def _prediction_text(model: Model, row: dict[str, str], part: PagePart, *, mean: bool) -> tuple[str, str]:
    """Return the prediction and its interval; ``mean``: of a transformed target, that of the mean."""
    table = typed_row(row)
    if isinstance(model.inference, Note) or (mean and medians(model.target)):
        frame: pl.DataFrame = model.predictions(table, mean=mean)
        bounds = ""
    else:
        frame, bounds = model.intervals(table), ""
    found = frame.row(0, named=True)
    if not model.target.family.classes:
        told = [f"{column} = {found[f'{column}_predicted']:.6g}" for column in model.target.columns]
        column = model.target.columns[0]
        for key, named in (("mean-interval", f"{column}_mean"), ("interval", column)):
            if f"{named}_low" in found:
                bounds = part.say(key, low=found[f"{named}_low"], high=found[f"{named}_high"])
        return ", ".join(told), bounds
    column = model.target.columns[0]
    chances = [f"P({level}) = {found[f'P({level})']:.4g}" for level in model.target.levels[:12]]
    return f"{column} = {found[f'{column}_predicted']}", ", ".join(chances)
