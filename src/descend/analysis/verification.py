"""Verification: the test of a fit on rows that it has not seen, beside the baseline."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from descend.analysis.verdicts import KINDS, percent, verdict_of
from descend.base import stored_fields
from descend.base.errors import OptionError
from descend.base.messages import Note, has, say
from descend.objectives.metrics import (
    confusion,
    most_confused,
    per_class,
)
from descend.tables.row_sampling import Draw, row_keys, scattered

if TYPE_CHECKING:
    from descend.base.typing import Floats, Rows
    from descend.objectives.target import Target

Method = Literal["holdout", "loo", "folds", "none", "given"]
METHODS: tuple[Method, ...] = get_args(Method)
HOLDOUT_FROM = 50  # rows: of fewer a fifth says little, so each is predicted from the others


@dataclass(frozen=True)
class Split:
    """Which rows are fitted (``train``) and which pairs of rows (fitted, tested) verify the hypothesis.

    ``instead`` is a note that says why it is another split than the one asked for.
    """

    method: Method
    train: Rows
    folds: list[tuple[Rows, Rows]]
    instead: Note | None = None


@dataclass(frozen=True)
class Verification:
    """The test on unseen rows.

    ``scores`` has one entry a target: its name, its ``hypothesis`` and ``baseline`` scores by metric. ``classes``
    holds rows, precision and recall of each class and ``confusion`` the counts (true x predicted), empty for numbers.
    ``verdict`` is the code of the sentence that sums up, with ``values`` for it.
    """

    method: Method
    rows: int
    fitted_rows: int
    scores: list[dict[str, Any]]
    classes: list[dict[str, Any]]
    confusion: list[list[int]]
    verdict: str
    values: dict[str, Any]

    @property
    def confused(self) -> list[dict[str, Any]]:
        """The classes most often taken for another: ``actual``, ``predicted``, ``count``; of three classes or more."""
        return most_confused([entry["class"] for entry in self.classes], np.array(self.confusion, dtype=np.int64))

    def tell(self, lang: str = "en") -> str:
        """Return the verdict in a language."""
        which = say("verdict.given" if self.method == "given" else "verdict.unseen", lang, rows=self.rows)
        told = {"lower": percent(self.values["lower"])} if "lower" in self.values else {}
        return say(self.verdict, lang, which=which, **{**self.values, **told})

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON can hold it."""
        return asdict(self)

    @property
    def kind(self) -> str:
        """The kind of the verdict: one of KINDS."""
        return self.verdict.removeprefix("verdict.").split("-")[0]

    @classmethod
    def restore(cls, found: Any, target: Target) -> Verification:
        """Build a verification from ``as_dict``, with None for NaN; raises ValueError for anything else."""
        facts = stored_fields.facts(found, cls.__dataclass_fields__)
        known = target.family.metrics(target)
        values = stored_fields.facts(facts["values"])
        made = cls(
            method=stored_fields.one_of(facts["method"], METHODS),
            rows=stored_fields.whole_number(facts["rows"], 1),
            fitted_rows=stored_fields.whole_number(facts["fitted_rows"]),
            scores=[_score(score, known) for score in stored_fields.entries(facts["scores"])],
            classes=[_class(entry) for entry in stored_fields.entries(facts["classes"])],
            confusion=[
                [stored_fields.whole_number(n) for n in stored_fields.entries(row)]
                for row in stored_fields.entries(facts["confusion"])
            ],
            verdict=stored_fields.text(facts["verdict"]),
            values={name: float("nan") if value is None else value for name, value in values.items()},
        )
        levels = [*target.levels]
        square = [len(row) for row in made.confusion] == [len(levels)] * len(levels)
        named = [score["target"] for score in made.scores] == [*target.columns]
        if not (square and named and [entry["class"] for entry in made.classes] == levels):
            raise ValueError("scores")
        if not made.verdict.startswith("verdict.") or made.kind not in KINDS or not has(made.verdict):
            raise ValueError(made.verdict[:100])
        made.tell()  # so that its values fill the sentence
        return made


def _score(found: Any, known: tuple[str, ...]) -> dict[str, Any]:
    facts = stored_fields.facts(found, ("target", "hypothesis", "baseline"))
    told = {who: stored_fields.facts(facts[who], known) for who in ("hypothesis", "baseline")}
    return {
        "target": stored_fields.text(facts["target"]),
        **{who: {name: stored_fields.real_or_nan(scores[name]) for name in known} for who, scores in told.items()},
    }


def _class(found: Any) -> dict[str, Any]:
    facts = stored_fields.facts(found, ("class", "rows", "precision", "recall"))
    return {
        "class": stored_fields.text(facts["class"]),
        "rows": stored_fields.whole_number(facts["rows"]),
        **{name: stored_fields.real_or_nan(facts[name]) for name in ("precision", "recall")},
    }


def split_rows(
    rows: int,
    test: str | float,
    seed: int,
    codes: Rows | None = None,
    *,
    columns: int = 1,
    numbers: Rows | None = None,
    whole: int | None = None,
) -> Split:
    """Return the split that ``test`` asks for: "auto", "none", "loo", a share or a number of folds.

    codes: the class of each row; classes are divided in proportion. columns: with many of them fewer rows are tested.
    numbers, whole: the rows' numbers in the table and its length, where rows were left out. A share is drawn by these
    numbers, so that the same rows are held back where the table is read part by part.
    Raises OptionError for a test that makes no sense for that many rows.
    """
    everything, whole = np.arange(rows), whole or rows
    numbers = everything if numbers is None else numbers
    if test == "auto" and rows < HOLDOUT_FROM:
        test = "loo" if rows >= 3 else "none"
    if test == "auto" or is_share(test):
        share = None if test == "auto" else float(test)
        classes = None if codes is None else (numbers, codes)
        draw = Draw.of(whole, share, seed, columns=columns, classes=classes)
        keys = draw.keys(0, whole)[numbers]
        fitted, tested = everything[keys >= draw.held], everything[keys < draw.tested]
        if share is not None and not (fitted.size and tested.size):
            raise OptionError("option.test-rows", value=test, rows=rows)
        return Split("holdout", fitted, [(fitted, tested)]) if tested.size else Split("none", everything, [])
    if test == "none":
        return Split("none", everything, [])
    if test == "loo":
        return Split("loo", everything, [(np.delete(everything, row), everything[[row]]) for row in range(rows)])
    try:
        number = float(test)
    except (ValueError, TypeError) as error:
        raise OptionError("option.test", value=test) from error
    if number.is_integer() and 2 <= number <= rows:
        part = np.empty(rows, dtype=np.int64)
        keys = row_keys(0, whole, seed)[numbers]
        part[scattered(keys, codes)] = np.floor(np.arange(rows) / rows * number)
        parts = [everything[part == index] for index in range(int(number))]
        folds = [(everything[part != index], rows_of) for index, rows_of in enumerate(parts) if rows_of.size]
        return Split("folds", everything, folds)
    code = "option.test-rows" if number >= 2 else "option.test"
    raise OptionError(code, value=test, rows=rows)


def is_share(test: str | float) -> bool:
    """Tell whether a test asks for a share of the rows."""
    try:
        return 0 < float(test) < 1
    except (TypeError, ValueError):
        return False


def baseline(target: Target, fitted: Floats, tested: int) -> Floats:
    """Return the baseline's predictions for ``tested`` rows: the mean, or the classes' shares, of the fitted rows."""
    null = target.family.null(target, fitted)
    return np.broadcast_to(null, (tested, null.shape[1]))


def told_base(target: Target, truth: Floats, rival: Floats, method: Method) -> Floats:
    """Return the baseline that is reported: ``rival``, or, where every row is tested in some fold, that of all rows.

    The latter has an R squared of 0, and its accuracy is the share of the commonest class. The folds' own baselines
    depend on the rows that they are tested on: of two even classes the commonest of the others is wrong every time.
    """
    return baseline(target, truth, len(truth)) if method in ("loo", "folds") else rival


def judge(
    target: Target,
    truth: Floats,
    predicted: Floats,
    rival: Floats,
    *,
    method: Method,
    fitted_rows: int,
    finished: bool = True,
) -> Verification:
    """Score predictions of unseen rows and the baseline's, and add the verdict of ``verdict_of``.

    rival: the baseline of each row, from the rows that its prediction is from.
    """
    base = told_base(target, truth, rival, method)
    family = target.family
    mine, theirs = family.score(target, truth, predicted), family.score(target, truth, base)
    scores: list[dict[str, Any]] = [
        {"target": column, "hypothesis": ours, "baseline": others}
        for (column, ours), (_, others) in zip(mine, theirs, strict=True)
    ]
    classes: list[dict[str, Any]] = []
    matrix = np.zeros((0, 0), dtype=np.int64)
    if family.classes:
        matrix = confusion(truth[:, 0].astype(np.int64), predicted.argmax(axis=1), len(target.levels))
        classes = per_class(target.levels, matrix)
    measure = family.headline(target)
    verdict = verdict_of(target, truth, predicted, base, rival, finished=finished)
    told = {
        name: float(np.mean([score[who][measure] for score in scores]))
        for name, who in (("score", "hypothesis"), ("baseline", "baseline"))
    }
    values = {**verdict.values, **told}
    return Verification(method, len(truth), fitted_rows, scores, classes, matrix.tolist(), verdict.code, values)


def left_out(X: Floats, Y: Floats) -> Floats | None:
    """Return every row's prediction from all the others at the least-squares optimum, without refitting (Allen 1974).

    y - r / (1 - h), with h the leverage. None where that is not exact: too few rows, or columns too alike.
    """
    Q, R = np.linalg.qr(X)
    diagonal = np.abs(np.diag(R))
    if len(X) <= X.shape[1] or not diagonal.min(initial=1.0) > 1e-10 * diagonal.max(initial=0.0):
        return None
    leverage = np.square(Q).sum(axis=1, keepdims=True)
    if leverage.max() > 1 - 1e-9:
        return None
    return np.asarray(Y - (Y - Q @ (Q.T @ Y)) / (1 - leverage))
