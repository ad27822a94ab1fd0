"""A run as it is looked at: its losses by epoch and its parameters at any of them, whichever engine made it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.losses import SquaredError, make_loss
from descend.objectives.gram import GramObjective
from descend.optimizers import SGD
from descend.report.kept import Kept
from descend.solvers.fast_forward import Descent, fast_forward
from descend.solving import optimizer_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from descend.columns import Columns
    from descend.design import Design
    from descend.history import History
    from descend.losses import Loss
    from descend.model import Model
    from descend.objectives import Objective
    from descend.recipe import Recipe
    from descend.studio.bench import Prepared
    from descend.target import Target

    Floats = NDArray[np.floating[Any]]

RECORDS = 300  # epochs of a curve that is drawn anew while a slider moves
FORETOLD = 150
NUMBERS = 2_000_000  # that the parameters of all recorded epochs may come to


@dataclass(frozen=True)
class Curve:
    """Losses by epoch; ``unseen`` (on the rows held out) is empty where there are none."""

    epoch: NDArray[np.int64]
    fitted: Floats
    unseen: Floats


@dataclass(frozen=True)
class Rows:
    """The rows that pictures show, with their design matrix and what is true of them; ``tested`` were held out."""

    columns: Columns
    tested: NDArray[np.bool_]
    X: Floats
    truth: Floats


@dataclass(frozen=True)
class View:
    """What the pictures ask of a run.

    ``weights`` gives the parameters (columns x outputs, of a network flat) after an epoch, ``predictor`` the linear
    predictor of a design matrix with them. ``path`` holds the parameters (flat) at the epochs ``path_epoch``, ``start``
    the first and ``goal`` the ones the path is drawn around; ``surface`` is the loss as a function of them.
    """

    design: Design
    target: Target
    rows: Rows
    curve: Curve
    weights: Callable[[int], Floats]
    predictor: Callable[[Floats, Floats], Floats]
    path_epoch: NDArray[np.int64]
    path: Floats
    goal: Floats
    surface: Objective
    lr: float
    diverged: bool
    any_epoch: bool = True
    forecast: tuple[float, Curve] | None = None
    networked: bool = False

    @property
    def last(self) -> int:
        """The last epoch of the run."""
        return int(self.curve.epoch[-1])

    def nearest(self, epoch: int) -> int:
        """Return the epoch that can be shown nearest to one."""
        epoch = min(max(epoch, 0), self.last)
        if self.any_epoch:
            return epoch
        return int(self.path_epoch[np.argmin(np.abs(self.path_epoch - epoch))])

    def loss(self, epoch: int) -> float:
        """Return the loss of the fitted rows at the recorded epoch nearest to one."""
        return float(self.curve.fitted[np.argmin(np.abs(self.curve.epoch - epoch))])

    def predict(self, epoch: int, X: Floats) -> Floats:
        """Return predictions, in the target's unit or as probabilities, for the rows of a design matrix."""
        return self.target.predict(self.predictor(self.weights(epoch), X))


class Slide:
    """Squared error whose rows have been read once: any learning rate's run follows in milliseconds.

    It holds what no slider changes (the rows that are shown) and, by penalty, the quadratic.
    """

    def __init__(self, prepared: Prepared) -> None:
        assert prepared.fitted is not None
        self.prepared = prepared
        self.fitted, self.unseen = prepared.fitted, prepared.unseen
        self.rows = rows_of(prepared)
        self._quadratics: dict[float, tuple[GramObjective, GramObjective | None]] = {}

    def quadratic(self, l2: float) -> tuple[GramObjective, GramObjective | None]:
        """Return the loss of the fitted rows with a penalty, and that of the unseen rows without."""
        if l2 not in self._quadratics:
            if len(self._quadratics) > 64:
                self._quadratics.clear()
            unseen = None if self.unseen is None else GramObjective.of(replace(self.unseen, l2=0.0))
            self._quadratics[l2] = GramObjective.of(replace(self.fitted, l2=l2)), unseen
        return self._quadratics[l2]

    def trustworthy(self, recipe: Recipe) -> bool:
        """Tell whether the curvatures are exact enough to tell the run."""
        return self.quadratic(recipe.l2)[0].trustworthy

    def view(self, recipe: Recipe) -> View:
        """Return the run of a recipe of plain, momentum or Nesterov SGD over all rows."""
        quadratic, unseen = self.quadratic(recipe.l2)
        start = recipe.start(self.prepared.design.names, self.fitted.outputs)
        optimizer = optimizer_of(self.fitted, quadratic, recipe)
        assert isinstance(optimizer, SGD)
        descent = Descent(quadratic, start, optimizer)
        length = _until_overflow(descent, recipe.length)
        few = max(min(RECORDS, NUMBERS // max(start.size, 1)), 10)
        history = fast_forward(quadratic, start, optimizer, length, records=few)
        held = np.empty(0) if unseen is None else _values(unseen, history.snapshots)
        if held.size:
            held = np.interp(history.epoch, history.snapshot_epoch, held)
        shape = self.fitted.shape
        best = SGD(
            optimizer_of(self.fitted, quadratic, replace(recipe, lr="auto")).lr, recipe.momentum, recipe.nesterov
        )
        foretold = fast_forward(quadratic, start, best, recipe.length, records=FORETOLD)
        return View(
            design=self.prepared.design,
            target=self.prepared.target,
            rows=self.rows,
            curve=Curve(history.epoch, history.loss, held),
            weights=lambda epoch: descent.weights(epoch).reshape(shape),
            predictor=lambda weights, X: X @ weights,
            path_epoch=history.snapshot_epoch,
            path=history.snapshots,
            goal=quadratic.minimum_near(start),
            surface=quadratic,
            lr=optimizer.lr,
            diverged=history.diverged,
            forecast=(best.lr, Curve(foretold.epoch, foretold.loss, np.empty(0))),
        )


def view_of(model: Model) -> View:
    """Return a fitted model's run: the epochs whose parameters were kept."""
    kept = Kept(model)
    history = model.history
    loss = make_loss(model.loss, model.family, delta=model.delta)
    rows = Rows(kept.columns, kept.tested, kept.X, kept.truth)
    finite = np.isfinite(history.snapshots).all(axis=1)
    epochs, path = history.snapshot_epoch[finite], history.snapshots[finite]
    if not (epochs.size and epochs[-1] == history.epochs) and np.isfinite(model.weights).all():
        epochs, path = np.append(epochs, history.epochs), np.concatenate([path, model.weights.ravel()[None]])
    places = {int(epoch): index for index, epoch in enumerate(epochs)}
    shape = model.weights.shape
    network = model.network

    def weights(epoch: int) -> Floats:
        return np.asarray(path[places[epoch]].reshape(shape))

    def predictor(W: Floats, X: Floats) -> Floats:
        return X @ W if network is None else network.at(W.ravel()).predictor(X)

    return View(
        design=model.design,
        target=model.target,
        rows=rows,
        curve=_curve(model, rows, kept, loss, epochs, path),
        weights=weights,
        predictor=predictor,
        path_epoch=epochs,
        path=path,
        goal=path[_least(history, epochs)] if history.diverged else model.weights.ravel(),
        surface=kept.objective,
        lr=history.lr,
        diverged=history.diverged,
        any_epoch=False,
        networked=network is not None,
    )


def rows_of(prepared: Prepared) -> Rows:
    """Return the rows that were kept of a table, ready to be shown."""
    from descend.columns import gather
    from descend.tables import Table
    from descend.target import target_uses

    wanted = {**prepared.design.uses, **target_uses(prepared.design.hypothesis, prepared.target.family)}
    columns = gather(wanted, Table(prepared.sample.frame, ""))
    return Rows(columns, prepared.sample.tested, prepared.design.matrix(columns), prepared.target.truth(columns))


def _curve(
    model: Model,
    rows: Rows,
    kept: Kept,
    loss: Loss,
    epochs: NDArray[np.int64],
    path: Floats,
) -> Curve:
    """Return the losses that are drawn: of RECORDS epochs, with the unseen rows' from those that are kept."""
    history = model.history
    chosen = np.unique(np.linspace(0, len(history) - 1, min(len(history), RECORDS)).astype(np.int64))
    epoch, fitted = history.epoch[chosen], history.loss[chosen]
    if history.validation_loss.size:
        return Curve(epoch, fitted, history.validation_loss[chosen])
    tested = rows.tested
    if not tested.any() or model.network is not None:
        return Curve(epoch, fitted, np.empty(0))
    X, Y = rows.X[tested], kept.Y[tested]
    share = 1 / Y.size if loss.mean else 1.0
    few = np.unique(np.linspace(0, len(epochs) - 1, min(len(epochs), 60)).astype(np.int64))
    with np.errstate(all="ignore"):
        values = [loss.total_and_slope(X @ path[i].reshape(model.weights.shape), Y)[0] * share for i in few]
    return Curve(epoch, fitted, np.interp(epoch, epochs[few], values))


def _least(history: History, epochs: NDArray[np.int64]) -> int:
    """Return the place of the epoch with the least loss among some."""
    losses = np.interp(epochs, history.epoch, np.nan_to_num(history.loss, nan=np.inf, posinf=np.finfo(np.float64).max))
    return int(np.argmin(losses))


def _values(quadratic: GramObjective, path: Floats) -> Floats:
    """Return the loss at every row of ``path`` (steps x parameters)."""
    columns, outputs = quadratic.shape
    offsets = path.reshape(-1, columns, outputs) - quadratic.minimum
    with np.errstate(over="ignore", invalid="ignore"):
        turned = np.einsum("pc,tpk->tck", quadratic.directions, offsets, optimize=True)
        return np.asarray(quadratic.least + (quadratic.curvatures[:, None] * np.square(turned)).sum(axis=(1, 2)) / 2)


def _until_overflow(descent: Descent, epochs: int) -> int:
    """Return the epochs of a run, or how many there are until its loss is infinite."""
    if not (descent.factors > 1).any():
        return epochs
    overflow = descent.first(float(np.finfo(np.float64).max) / descent.objective.elements, above=True)
    return epochs if overflow is None else min(epochs, overflow)


def slides(prepared: Prepared, recipe: Recipe) -> bool:
    """Tell whether a recipe's run on a prepared table is told in closed form, so that a slider can be followed."""
    return (
        prepared.fitted is not None
        and isinstance(prepared.loss, SquaredError)
        and not recipe.networked
        and recipe.method == "sgd"
        and recipe.batch_size is None
        and recipe.patience is None
        and not recipe.tolerance
        and recipe.make_schedule().constant
        and recipe.arithmetic == "float64"
    )
