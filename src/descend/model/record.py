"""The record of a fitted model: the hypothesis, where it comes from, the fitted rows, and what is known of the fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from descend.base.messages import Note
from descend.design.matrix import INTERCEPT

if TYPE_CHECKING:
    from descend.analysis.certificates import Certificate
    from descend.analysis.diagnosis import Finding
    from descend.analysis.forecast import Forecast
    from descend.analysis.inference import Inference
    from descend.analysis.verification import Verification
    from descend.base.typing import Floats
    from descend.design.matrix import Design
    from descend.model.cautions import Ranges
    from descend.model.hypothesis import FittedHypothesis
    from descend.model.sample import Sample
    from descend.objectives.networks.network import Network
    from descend.objectives.target import Target
    from descend.solvers.closed_form import ClosedFormRun
    from descend.solvers.history import History

NOT_AT_THE_OPTIMUM = Note("inference.not-optimum", {})


@dataclass(frozen=True)
class Provenance:
    """Where a model comes from: its table, its loss, the settings that are not the defaults, and the notes of the fit.

    delta: Huber's; it is kept with every loss.
    """

    table_name: str
    table_rows: int
    table_columns: list[str]
    loss: str
    delta: float
    settings: dict[str, Any]
    notes: list[Note]


@dataclass(frozen=True, eq=False)
class FittedRows:
    """What a model keeps of the rows it was fitted on.

    count: how many rows. base: the prediction without a hypothesis (1 x targets or classes). means: of each column, to
    fill missing cells with where that is asked for. ranges: the least and the greatest number of each column. errors:
    those of a transformed target (rows or quantiles x targets). sample: rows for pictures.
    """

    count: int
    base: Floats
    means: dict[str, float]
    ranges: Ranges = field(default_factory=dict)
    errors: Floats | None = None
    sample: Sample | None = None


@dataclass(frozen=True, eq=False)
class Assessment:
    """What is known of a fit once it is done.

    verification: the test on unseen rows, None where there was none. certificate: how far from the optimum the fit can
    be. inference: what the rows leave uncertain, or the note why that cannot be said. findings: those of the diagnosis,
    worst first. forecast: what was known before the first step (not kept in a file).
    """

    verification: Verification | None = None
    certificate: Certificate | None = None
    inference: Inference | Note = NOT_AT_THE_OPTIMUM
    findings: list[Finding] = field(default_factory=list)
    forecast: Forecast | None = None


@dataclass(frozen=True, repr=False, eq=False)
class ModelRecord:
    """What a fit leaves behind, and what is read off it.

    hypothesis: the function of the columns, with its weights; target: how its linear predictor becomes a prediction.
    history: the record of the fit; descent: its run in closed form, where it has one.
    provenance, rows, assessment: where the model comes from, what it keeps of the fitted rows, and what is known of the
    fit; their fields can be read from the model itself (``model.findings``).
    """

    hypothesis: FittedHypothesis
    target: Target
    history: History
    provenance: Provenance
    rows: FittedRows
    assessment: Assessment
    descent: ClosedFormRun | None = None

    @property
    def formula(self) -> str:
        """The hypothesis as it was written."""
        return self.design.hypothesis.text

    @property
    def family(self) -> str:
        """The name of the target's family, such as "linear"."""
        return self.target.family.name

    @property
    def finished(self) -> bool:
        """Whether the fit went as far as it was to go: it was not cut short, and no finding says that more was left."""
        cut_short = self.history.stop in ("interrupted", "diverged")
        return not cut_short and not any(finding.unfinished for finding in self.findings)

    # the hypothesis

    @property
    def design(self) -> Design:
        """What turns rows into the columns that the hypothesis takes."""
        return self.hypothesis.design

    @property
    def weights(self) -> Floats:
        """The weights of the standardised columns, columns x outputs; of a network its flat state, numbers x 1."""
        return self.hypothesis.weights

    @property
    def network(self) -> Network | None:
        """The network with its PyTorch module, None where the hypothesis is an equation."""
        return self.hypothesis.network

    @property
    def exact(self) -> Floats | None:
        """The coefficients to more digits than ``weights`` give them, where they could be had."""
        return self.hypothesis.exact

    @property
    def rest(self) -> Floats | None:
        """What float64 leaves of ``exact``, where the columns are so alike that predictions need it."""
        return self.hypothesis.rest

    @property
    def equation(self) -> str:
        """The fitted equation in the units of the table, a line an output; of a network its name and its columns."""
        return self.hypothesis.equation(self.target)

    @property
    def raw(self) -> Floats:
        """The coefficients in the units of the table, columns x outputs; raises ModelError for a network."""
        return self.hypothesis.raw

    @property
    def contrasts(self) -> Floats:
        """The coefficients that ``inference`` is about: ``raw``, or of several classes those less the first class's."""
        return self.target.family.contrasts(self.raw)

    @property
    def coefficients(self) -> dict[str, Any]:
        """Coefficients in raw units by column (``(intercept)`` too); by output first where there are several."""
        return self.hypothesis.coefficients(self.target)

    @property
    def intercept(self) -> float | dict[str, float]:
        """The constant of the equation, 0 where the hypothesis has none; by output where there are several."""
        found = self.coefficients
        if len(self.target.outputs) > 1:
            return {output: found[output].get(INTERCEPT, 0.0) for output in self.target.outputs}
        return float(found.get(INTERCEPT, 0.0))

    # where it comes from

    @property
    def table_name(self) -> str:
        """The name of the fitted table."""
        return self.provenance.table_name

    @property
    def table_rows(self) -> int:
        """How many rows the table has."""
        return self.provenance.table_rows

    @property
    def table_columns(self) -> list[str]:
        """The names of the table's columns."""
        return self.provenance.table_columns

    @property
    def loss(self) -> str:
        """The name of the loss."""
        return self.provenance.loss

    @property
    def delta(self) -> float:
        """Huber's delta."""
        return self.provenance.delta

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the fit that are not the defaults."""
        return self.provenance.settings

    @property
    def notes(self) -> list[Note]:
        """What there was to note about the table and the fit."""
        return self.provenance.notes

    # the fitted rows

    @property
    def fitted_rows(self) -> int:
        """How many rows were fitted."""
        return self.rows.count

    @property
    def base(self) -> Floats:
        """The prediction without a hypothesis, 1 x targets or classes."""
        return self.rows.base

    @property
    def means(self) -> dict[str, float]:
        """The mean of each column of numbers, which fills missing cells where that is asked for."""
        return self.rows.means

    @property
    def ranges(self) -> Ranges:
        """The least and the greatest number of each column."""
        return self.rows.ranges

    @property
    def errors(self) -> Floats | None:
        """The errors of a transformed target, rows or quantiles x targets."""
        return self.rows.errors

    @property
    def sample(self) -> Sample | None:
        """The rows that are kept for pictures."""
        return self.rows.sample

    # what is known of the fit

    @property
    def verification(self) -> Verification | None:
        """The test on unseen rows, None where there was none."""
        return self.assessment.verification

    @property
    def certificate(self) -> Certificate | None:
        """How far from the optimum the fit can be."""
        return self.assessment.certificate

    @property
    def inference(self) -> Inference | Note:
        """What the rows leave uncertain, or the note why that cannot be said."""
        return self.assessment.inference

    @property
    def findings(self) -> list[Finding]:
        """What the diagnosis found, worst first."""
        return self.assessment.findings

    @property
    def forecast(self) -> Forecast | None:
        """What was known before the first step; it is not kept in a file."""
        return self.assessment.forecast
