"""What was fitted: a hypothesis with its parameters, that tells its equation, predicts and is tested."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl

from descend.analysis.refined_least_squares import in_blocks
from descend.analysis.verification import Verification, judge
from descend.base.double_double import rounded
from descend.base.errors import DesignError, ModelError, TableError
from descend.base.messages import Note, language
from descend.design.matrix import INTERCEPT, Design
from descend.model.cautions import beyond, means, medians
from descend.model.equation import equation_lines, network_line
from descend.objectives.target import Target, target_uses
from descend.solvers.closed_form import whole_epoch
from descend.tables.columns import Columns, Use, gather, reading_notes, require_columns
from descend.tables.image_normalisation import as_fitted, ground
from descend.tables.open import header_of, read
from descend.tables.table import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.analysis.certificates import Certificate
    from descend.analysis.diagnosis import Finding
    from descend.analysis.forecast import Forecast
    from descend.analysis.inference import Inference
    from descend.model.cautions import Ranges
    from descend.model.sample import Sample
    from descend.objectives.networks.network import Network
    from descend.solvers.closed_form import ClosedFormRun
    from descend.solvers.history import History

    Floats = NDArray[np.floating[Any]]

NOT_AT_THE_OPTIMUM = Note("inference.not-optimum", {})


@dataclass(frozen=True, repr=False, eq=False)
class FittedModel:
    """A fitted hypothesis.

    ``weights`` (columns x outputs) are of the standardised columns, ``coefficients`` and ``equation`` in the units of
    the table. ``history`` is the record of the fit and ``verification`` the test on unseen rows (None where there
    was none). ``base`` is what no hypothesis would predict; ``means`` fill missing cells where that is asked for.
    ``certificate`` says how far from the optimum the fit can be, ``inference`` what the rows leave uncertain (or the
    note why that cannot be said), ``findings`` what the diagnosis found, ``forecast`` what was known before the first
    step (not kept in a file). ``exact`` are coefficients to more digits than ``weights`` give them, where they could
    be had, and ``rest`` what float64 leaves of them, where the columns are so alike that predictions need it.
    ``descent`` is the run in closed form, where it has one. Where the hypothesis is a ``network``, ``weights``
    is its flat state (numbers x 1), and there are no coefficients. ``ranges`` are the least and the greatest number of
    each column over the fitted rows, ``errors`` (rows or quantiles x targets) those of a transformed target.
    """

    design: Design
    target: Target
    loss: str
    delta: float
    weights: Floats
    history: History
    verification: Verification | None
    table_name: str
    table_rows: int
    table_columns: list[str]
    fitted_rows: int
    base: Floats
    means: dict[str, float]
    settings: dict[str, Any]
    notes: list[Note]
    sample: Sample | None = field(default=None, repr=False)
    exact: Floats | None = None
    certificate: Certificate | None = None
    inference: Inference | Note = NOT_AT_THE_OPTIMUM
    findings: list[Finding] = field(default_factory=list)
    descent: ClosedFormRun | None = None
    forecast: Forecast | None = None
    network: Network | None = None
    rest: Floats | None = field(default=None, repr=False)
    ranges: Ranges = field(default_factory=dict)
    errors: Floats | None = field(default=None, repr=False)

    @property
    def formula(self) -> str:
        """The hypothesis as it was written."""
        return self.design.hypothesis.text

    @property
    def family(self) -> str:
        """The name of the target's family: linear, logistic, softmax."""
        return self.target.family.name

    @property
    def finished(self) -> bool:
        """Whether the fit went as far as it was to go: it was not cut short, and no finding says that more was left."""
        cut_short = self.history.stop in ("interrupted", "diverged")
        return not cut_short and not any(finding.unfinished for finding in self.findings)

    @property
    def equation(self) -> str:
        """The fitted equation in the units of the table, a line an output; of a network its name and its columns."""
        if self.network is not None:
            return network_line(self.design, self.target, self.network.title)
        return "\n".join(equation_lines(self.design, self.target, self.raw))

    @property
    def raw(self) -> Floats:
        """The coefficients in the units of the table, columns x outputs; raises ModelError for a network."""
        if self.network is not None:
            raise ModelError("model.no-coefficients", title=self.network.title)
        return self.design.to_raw(self.weights) if self.exact is None else self.exact

    @property
    def contrasts(self) -> Floats:
        """The coefficients that ``inference`` is about: ``raw``, or of several classes those less the first class's."""
        return self.target.family.contrasts(self.raw)

    @property
    def coefficients(self) -> dict[str, Any]:
        """Coefficients in raw units by column (``(intercept)`` too); by output first where there are several."""
        raw = self.raw
        made = {
            output: dict(zip(self.design.names, map(float, raw[:, index]), strict=True))
            for index, output in enumerate(self.target.outputs)
        }
        return made if len(made) > 1 else next(iter(made.values()))

    @property
    def intercept(self) -> float | dict[str, float]:
        """The constant of the equation, 0 where the hypothesis has none; by output where there are several."""
        found = self.coefficients
        if len(self.target.outputs) > 1:
            return {output: found[output].get(INTERCEPT, 0.0) for output in self.target.outputs}
        return float(found.get(INTERCEPT, 0.0))

    def predict(
        self, source: Any, *, missing: str = "error", probabilities: bool = False, mean: bool = False
    ) -> NDArray[Any]:
        """Predict rows.

        source: whatever ``descend.read`` takes, with the columns that the hypothesis uses.
        missing: "error", "drop" (fewer predictions than rows) or "mean" (of the rows that were fitted).
        mean: of a transformed target, as log(price), its mean (the smearing estimate, Duan 1983) and not its median.

        Returns numbers in the target's unit, (rows,) or (rows, targets); or the likeliest class of each row, and with
        ``probabilities`` rows x classes. Raises DescendError for a missing column, one of the wrong kind, an unseen
        level or a cell that cannot be read.
        """
        made = self.predicted(self.gather(source, missing=missing), mean=mean)
        if self.target.family.classes:
            return made if probabilities else self.target.labels(made)
        return made[:, 0] if made.shape[1] == 1 else made

    def cautions(self, source: Any, *, missing: str = "error") -> list[Note]:
        """Return what there is to mind about predictions of ``source``, for ``Note.tell``.

        How the numbers of columns were read, such as units left out; columns farther outside of the fitted range than
        half its width; and targets whose prediction is a median.
        """
        data = self.gather(source, missing=missing)
        return [*reading_notes(self.wanted(data.table), data.table), *self.beyond(data), *medians(self.target)]

    def beyond(self, data: Columns) -> list[Note]:
        """Return the notes of rows that were gathered and are far outside of those that were fitted."""
        return beyond(self.ranges, data)

    def predictions(self, source: Any, *, missing: str = "error", mean: bool = False) -> pl.DataFrame:
        """Return the rows of ``source`` with their predictions beside them, as a polars frame.

        Images are left out; where no file is named beside them the row's number, from 1, stands in their place.

        Added are ``score_predicted`` for a target ``score``; for classes also ``P(class)`` for each. Raises DesignError
        (``design.column-taken``) where the table has a column of such a name.
        """
        return self.beside(self.gather(source, missing=missing), mean=mean)

    def beside(self, data: Columns, first: int = 0, *, mean: bool = False) -> pl.DataFrame:
        """Return rows that were gathered with their predictions beside them; ``first`` is the number of the first."""
        made = self.predicted(data, mean=mean)
        frame = _without_images(data, first)
        if self.target.family.classes:
            added = {f"{self.target.columns[0]}_predicted": self.target.labels(made)}
            added |= {f"P({level})": made[:, i] for i, level in enumerate(self.target.levels)}
        else:
            added = {f"{column}_predicted": made[:, i] for i, column in enumerate(self.target.columns)}
        return _with_added(frame, added, data.table.name)

    def evaluate(self, source: Any, *, missing: str = "error") -> Verification:
        """Test the model on rows that hold the target too, beside the baseline of the rows it was fitted on."""
        data = self.gather(source, missing=missing, target=True)
        if not len(data):
            raise TableError("table.no-rows", file=data.table.name)
        return self.judged(self.target.truth(data), self.predicted(data))

    def judged(self, truth: Floats, predicted: Floats) -> Verification:
        """Score predictions beside the baseline of the rows that the model was fitted on."""
        base = np.broadcast_to(self.base, (len(truth), self.base.shape[1]))
        return judge(
            self.target, truth, predicted, base, method="given", fitted_rows=self.fitted_rows, finished=self.finished
        )

    def at(self, epoch: int) -> Self:
        """Return the model as it was after ``epoch`` updates, untested; of a quadratic run any epoch, also 10**9.

        Of other runs the epochs that were kept; raises ModelError for one that was not, and for one that overflowed.
        """
        epoch = whole_epoch(epoch)
        kept = self.history.snapshot_epoch
        if self.descent is not None:
            weights, loss = self.descent.weights(epoch), self.descent.loss(epoch)
        else:
            place = int(np.argmin(np.abs(kept - epoch)))
            if kept[place] != epoch:
                raise ModelError("model.no-epoch", epoch=epoch, near=int(kept[place]), last=int(kept[-1]))
            weights, loss = self.history.snapshots[place], self.history.at(epoch)
        if not np.isfinite(weights).all():
            raise ModelError("model.overflowed", epoch=epoch)
        history = replace(self.history, weights=weights, final_loss=loss, final_gradient_norm=math.nan, gap=None)
        if epoch < self.history.epochs:
            history = replace(history, stop="interrupted")
        network = None if self.network is None else self.network.at(weights)
        return replace(
            self,
            weights=np.asarray(weights, dtype=np.float64).reshape(self.weights.shape),
            history=history,
            verification=None,
            exact=None,
            rest=None,
            certificate=None,
            inference=NOT_AT_THE_OPTIMUM,
            findings=[],
            network=network,
        )

    def intervals(self, source: Any, *, level: float = 0.95, missing: str = "error") -> pl.DataFrame:
        """Return the rows of ``source`` with their predictions and between what these lie with probability ``level``.

        Numbers: ``score_low`` and ``score_high`` for a new row, ``score_mean_low`` and ``score_mean_high`` for the mean
        of all rows like it. Classes: ``P(class)_low`` and ``P(class)_high``. Raises ModelError where the fit has none.
        """
        inference = self.require_inference()
        return self.bounded(self.gather(source, missing=missing), inference, level)

    def require_inference(self) -> Inference:
        """Return what the rows leave uncertain; raises ModelError where that cannot be said."""
        if self.network is not None:
            raise ModelError("model.network-interval")
        if isinstance(self.inference, Note):
            raise ModelError("model.no-inference", reason=self.inference.tell(language()))
        return self.inference

    def bounded(self, data: Columns, inference: Inference, level: float, first: int = 0) -> pl.DataFrame:
        """Return rows that were gathered with their predictions and the bounds of these beside them."""
        frame = self.beside(data, first)
        Z = self.linear(data)
        if inference.rest is None:
            scores = inference.scores(self.design.matrix(data))
        else:
            scores = inference.exact_scores(self.design.exact_matrix(data))
        bounds: dict[str, tuple[Floats, Floats]] = {}
        if not self.target.family.classes:
            ends_of = {"": inference.row_interval(Z, scores, level)} if self.target.family.dispersion else {}
            ends_of["_mean"] = inference.mean_interval(Z, scores, level)
            for kind, (low, high) in ends_of.items():
                ends = np.sort(np.stack([self.target.predict(low), self.target.predict(high)]), axis=0)
                middle = self.target.predict(Z)
                torn = ~((ends[0] <= middle) & (middle <= ends[1]))  # across a pole of the target's transform
                ends[0][torn], ends[1][torn] = -np.inf, np.inf
                for index, column in enumerate(self.target.columns):
                    bounds[f"{column}{kind}"] = ends[0][:, index], ends[1][:, index]
        else:
            low, high = inference.class_interval(Z, scores, level)
            bounds = {f"P({name})": (low[:, i], high[:, i]) for i, name in enumerate(self.target.levels)}
        added = {
            f"{name}_{end}": values
            for name, ends in bounds.items()
            for end, values in zip(("low", "high"), ends, strict=True)
        }
        return _with_added(frame, added, data.table.name)

    def predictor(self, X: Floats) -> Floats:
        """Return the linear predictor, rows x outputs, of a design matrix (rows x columns)."""
        return X @ self.weights if self.network is None else self.network.predictor(X)

    def linear(self, data: Columns) -> Floats:
        """Return the linear predictor of rows that were gathered, with twice float64's digits where it needs them."""
        if self.exact is None or self.rest is None:
            return self.predictor(self.design.matrix(data))
        return rounded(in_blocks(self.design.exact_matrix(data), (self.exact, self.rest)))

    def kept_rows(self) -> Columns:
        """Return the rows that the model keeps for pictures, ready for its design and its target."""
        wanted = {**self.design.uses, **target_uses(self.design.hypothesis, self.target.family)}
        if self.sample is None:
            kinds: dict[str, Any] = {"number": pl.Float64, "category": pl.String}
            images = pl.Array(pl.UInt8, self.design.image_shape or (1, 1))
            frame = pl.DataFrame(schema={name: kinds.get(use, images) for name, use in wanted.items()})
        else:
            frame = self.sample.frame
        return gather(wanted, Table(frame, self.table_name), whole=False)

    def prepared(self, source: Any) -> Table:
        """Return a table; where it is of pictures and the model of one grey image, with these made such as it knows.

        They are told in the table's notes: turned round where dark and light are the other way than in the fitted
        images, and where they are of another size prepared as the digits of MNIST were.
        """
        table, shape = read(source, header=header_of(None, self.formula)), self.design.image_shape
        name = next(iter(self.design.uses), "")
        if not table.pictures or shape is None or len(shape) != 2 or name not in table.columns:
            return table
        return as_fitted(table, name, (shape[0], shape[1]), light=ground(self.design.mean_pixels.reshape(shape)) > 0.5)

    def gather(self, source: Any, *, missing: str = "error", target: bool = False, whole: bool = True) -> Columns:
        """Return the columns that the model needs from a table (or a part of one), checked against the fitted ones."""
        table = self.prepared(source)
        wanted = self.wanted(table, target=target)
        outputs = target_uses(self.design.hypothesis, self.target.family) if target else {}
        return gather(wanted, table, missing=missing, means=self.means, required=outputs, whole=whole)

    def wanted(self, table: Table, *, target: bool = False) -> dict[str, Use]:
        """Return the columns that the model needs; raises DesignError where a table lacks one, or its kind is wrong."""
        wanted: dict[str, Use] = dict(self.design.uses)
        if target:
            wanted |= target_uses(self.design.hypothesis, self.target.family)
        require_columns(wanted, table, lambda name: get_close_matches(name, table.columns, n=1, cutoff=0.6))
        return wanted

    def predicted(self, data: Columns, *, mean: bool = False) -> Floats:
        """Return what ``Target.predict`` gives for rows that were gathered: rows x targets, or x classes.

        With ``mean`` the means of transformed targets; raises ModelError where the model has no errors to take them by.
        """
        Z = self.linear(data)
        if not mean or not medians(self.target):
            return self.target.predict(Z)
        if self.errors is None:
            raise ModelError("model.no-errors", target=", ".join(self.target.columns))
        return means(self.target, Z, self.errors)

    def __str__(self) -> str:
        return self.equation

    def __repr__(self) -> str:
        return f"<descend.Model {self.formula!r}, {self.family}, {self.fitted_rows} rows>"


def _without_images(data: Columns, first: int = 0) -> pl.DataFrame:
    """Return the rows' table without its images, with ``row`` in their place unless a column names their files."""
    table = data.table
    images = [name for name in table.columns if table.kind(name) == "image"]
    if not images:
        return table.frame[data.rows]
    frame = table.frame.drop(images)[data.rows]
    if {"file", "row"} & set(frame.columns):
        return frame
    return frame.select(pl.Series("row", first + data.rows + 1), pl.all())


def _with_added(frame: pl.DataFrame, added: dict[str, Any], table: str) -> pl.DataFrame:
    """Return a frame with columns added to it, and none of its own replaced; raises DesignError."""
    for name in added:
        if name in frame.columns:
            raise DesignError("design.column-taken", table=table, column=name)
    return frame.with_columns(pl.Series(name, values) for name, values in added.items())
