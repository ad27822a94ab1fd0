"""The view of a run: its losses by epoch and its parameters at any of them, whichever engine fitted it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from descend.objectives.losses import make_loss
from descend.objectives.penalties import L2
from descend.objectives.target import target_uses
from descend.report.plot_data import PlotRows
from descend.tables.columns import gather
from descend.tables.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.design.matrix import Design
    from descend.fitting.model import Model
    from descend.model.hypothesis import FittedHypothesis
    from descend.objectives.objective import Objective
    from descend.objectives.target import Target
    from descend.studio.worker.session import Prepared
    from descend.tables.columns import Columns

RECORDS = 300  # epochs on a curve
SPARSE = 60  # epochs at which the loss of the unseen rows is computed for a curve


@dataclass(frozen=True)
class LossCurve:
    """Losses by epoch; ``unseen`` (on the rows held out) is empty where there are none."""

    epoch: NDArray[np.int64]
    fitted: Floats
    unseen: Floats


@dataclass(frozen=True)
class ShownRows:
    """The rows that the pictures show, with their design matrix and true values; ``tested`` rows were held out."""

    columns: Columns
    tested: NDArray[np.bool_]
    X: Floats
    truth: Floats


@dataclass(frozen=True)
class View:
    """A run as the pictures use it.

    ``weights`` gives the parameters (columns x outputs, flat for a network) after an epoch, ``losses`` the losses of
    the fitted and the unseen rows there (None without unseen rows); ``hypothesis`` predicts with these parameters.
    ``path`` holds the parameters (flat) at the epochs ``path_epoch`` and ``goal`` those at the centre of the plane;
    ``surface`` is the loss as a function of them. ``end`` is the epoch of the final parameters: the last one, or the
    best one of a run that went back to its best. ``fitted`` is False of an equation before its fit.
    ``sampled`` says whether ``surface`` is of the shown rows alone and these are not all that are fitted.
    """

    hypothesis: FittedHypothesis
    target: Target
    rows: ShownRows
    curve: LossCurve
    weights: Callable[[int], Floats]
    losses: Callable[[int], tuple[float, float | None]]
    path_epoch: NDArray[np.int64]
    path: Floats
    goal: Floats
    surface: Objective
    lr: float
    diverged: bool
    end: int
    any_epoch: bool = True
    fitted: bool = True
    sampled: bool = False
    forecast: tuple[float, LossCurve] | None = None

    @property
    def design(self) -> Design:
        """The design that turns rows into the columns of the hypothesis."""
        return self.hypothesis.design

    @property
    def last(self) -> int:
        """The last epoch of the run."""
        return int(self.curve.epoch[-1])

    def nearest(self, epoch: int) -> int:
        """Return the closest epoch that can be shown."""
        epoch = min(max(epoch, 0), self.last)
        if self.any_epoch:
            return epoch
        return int(self.path_epoch[np.argmin(np.abs(self.path_epoch - epoch))])

    def predict(self, epoch: int, X: Floats) -> Floats:
        """Return predictions, in the target's unit or as probabilities, for the rows of a design matrix."""
        return self.predicted(self.weights(epoch), X)

    def predicted(self, weights: Floats, X: Floats) -> Floats:
        """Return the predictions of given parameters for the rows of a design matrix."""
        return self.target.predict(self.hypothesis.at(weights).predictor(X))


def view_of(model: Model) -> View:
    """Return the view of a fitted model's run, at the epochs whose parameters were kept."""
    kept = PlotRows(model)
    run = _StoredRun.of(model)
    rows = ShownRows(kept.columns, kept.tested, kept.X, kept.truth)
    unseen = _unseen_loss(model, rows, kept)
    places = {int(epoch): index for index, epoch in enumerate(run.path_epoch)}
    shape = model.weights.shape

    def losses(epoch: int) -> tuple[float, float | None]:
        at = min(int(np.searchsorted(run.epoch, epoch)), run.epoch.size - 1)
        if run.validation.size:
            return float(run.loss[at]), float(run.validation[at])
        return float(run.loss[at]), None if unseen is None else unseen(run.path[places[epoch]])

    return View(
        hypothesis=model.hypothesis,
        target=model.target,
        rows=rows,
        curve=run.curve(unseen),
        weights=lambda epoch: np.asarray(run.path[places[epoch]].reshape(shape)),
        losses=losses,
        path_epoch=run.path_epoch,
        path=run.path,
        goal=run.path[run.least()] if model.history.diverged else model.weights.ravel(),
        surface=kept.objective,
        lr=model.history.lr,
        diverged=model.history.diverged,
        end=run.end,
        any_epoch=False,
        sampled=bool((~rows.tested).sum() < model.fitted_rows),
    )


def view_of_outset(prepared: Prepared) -> View | None:
    """Return the view of an equation before its fit: one epoch, with the parameters that its run begins with.

    None for any other hypothesis, and where the loss of these parameters is not defined.
    """
    if prepared.outset is None:
        return None
    hypothesis, rows = prepared.outset, rows_of(prepared)
    fitted, l2 = ~rows.tested, float(prepared.settings.get("l2", 0.0))
    Y = prepared.target.encode(rows.columns)
    surface = hypothesis.objective(rows.X[fitted], Y[fitted], prepared.loss, l2)
    weights = hypothesis.weights.ravel()
    with np.errstate(all="ignore"):
        loss = surface.value(weights)
    if not np.isfinite(loss):
        return None
    return View(
        hypothesis=hypothesis,
        target=prepared.target,
        rows=rows,
        curve=LossCurve(np.zeros(1, dtype=np.int64), np.array([loss]), np.empty(0)),
        weights=lambda epoch: hypothesis.weights,
        losses=lambda epoch: (loss, None),
        path_epoch=np.zeros(1, dtype=np.int64),
        path=weights[None],
        goal=weights,
        surface=surface,
        lr=float("nan"),
        diverged=False,
        end=0,
        fitted=False,
        sampled=bool(fitted.sum() < prepared.fitted_rows),
    )


@dataclass(frozen=True)
class _StoredRun:
    """A history with the model's final parameters at the epoch ``end``."""

    epoch: NDArray[np.int64]
    loss: Floats
    validation: Floats
    path_epoch: NDArray[np.int64]
    path: Floats
    end: int

    @classmethod
    def of(cls, model: Model) -> _StoredRun:
        history = model.history
        epoch, loss, end = history.epoch, history.loss, history.epochs
        if history.stop in ("optimum", "solved"):  # the parameters are the minimum, not those of the last step
            if len(history) == 1 and not np.array_equal(history.snapshots[0], model.weights.ravel()):
                epoch, loss, end = np.append(epoch, 1), np.append(loss, 0.0), 1
            loss = np.append(loss[:-1], history.final_loss)
        elif history.validation_loss.size:
            end = int(epoch[np.argmin(history.validation_loss)])
        elif not np.isfinite(loss[-1]) and len(history) > 1:  # the last finite parameters
            end = int(epoch[-2])
        finite = np.isfinite(history.snapshots).all(axis=1) & (history.snapshot_epoch != end)
        path_epoch, path = history.snapshot_epoch[finite], history.snapshots[finite]
        at = int(np.searchsorted(path_epoch, end))
        path = np.insert(path, at, model.weights.ravel(), axis=0)
        return cls(epoch, loss, history.validation_loss, np.insert(path_epoch, at, end), path, end)

    def curve(self, unseen: Callable[[Floats], float] | None) -> LossCurve:
        """Return the losses of RECORDS epochs, those of the unseen rows at SPARSE epochs of the path."""
        chosen = _spread(self.epoch.size, RECORDS)
        epoch, fitted = self.epoch[chosen], self.loss[chosen]
        if self.validation.size:
            return LossCurve(epoch, fitted, self.validation[chosen])
        if unseen is None:
            return LossCurve(epoch, fitted, np.empty(0))
        sparse = _spread(len(self.path), SPARSE)
        return LossCurve(
            epoch, fitted, np.interp(epoch, self.path_epoch[sparse], [unseen(self.path[at]) for at in sparse])
        )

    def least(self) -> int:
        """Return the index of the least loss on the path."""
        losses = self.loss[np.minimum(np.searchsorted(self.epoch, self.path_epoch), self.epoch.size - 1)]
        return int(np.argmin(np.where(np.isfinite(losses), losses, np.inf)))


def rows_of(prepared: Prepared) -> ShownRows:
    """Return the kept rows of a prepared table as the pictures show them."""
    wanted = {**prepared.design.uses, **target_uses(prepared.design.hypothesis, prepared.target.family)}
    columns = gather(wanted, Table(prepared.sample.frame, ""))
    return ShownRows(columns, prepared.sample.tested, prepared.design.matrix(columns), prepared.target.truth(columns))


def _unseen_loss(model: Model, rows: ShownRows, kept: PlotRows) -> Callable[[Floats], float] | None:
    """Return the loss of the kept unseen rows by parameters; None without such rows, and for a network.

    It is comparable with that of the fitted rows: it has the same penalty, and a sum is scaled to as many rows.
    """
    if not rows.tested.any() or not model.hypothesis.readable:
        return None
    loss = make_loss(model.loss, model.target.family, delta=model.delta)
    X, Y = rows.X[rows.tested], kept.Y[rows.tested]
    share = 1 / Y.size if loss.mean else model.fitted_rows / len(Y)
    counts = model.design.penalised if model.hypothesis.linear else np.ones(model.weights.size)
    penalty = L2(float(model.settings.get("l2", 0.0)), counts)

    def unseen(w: Floats) -> float:
        W = w.reshape(model.weights.shape)
        with np.errstate(all="ignore"):
            Z = model.hypothesis.at(W).predictor(X)
            return float(loss.total_and_slope(Z, Y)[0] * share) + penalty.value(W)

    return unseen


def _spread(count: int, most: int) -> NDArray[np.int64]:
    """Return up to ``most`` indices of a list, evenly spaced, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))
