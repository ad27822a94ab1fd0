"""A model as JSON can hold it: what --json prints."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.base.atomic_files import json_ready
from descend.base.messages import Note, say

if TYPE_CHECKING:
    from descend.analysis.comparison import Comparison
    from descend.analysis.forecast import Forecast
    from descend.analysis.profile import ProfileIntervals
    from descend.analysis.verification import Verification
    from descend.model.fitted import FittedModel


def model_facts(
    model: FittedModel, lang: str = "en", files: list[str] | None = None, profile: ProfileIntervals | None = None
) -> dict[str, Any]:
    """Return everything that the terminal reports of a model, with all digits; ``profile`` where it was asked for."""
    history, penalty = model.history, penalty_of(model)
    facts: dict[str, Any] = json_ready(
        {
            "table": {"name": model.table_name, "rows": model.table_rows, "columns": model.table_columns},
            "hypothesis": {
                "formula": model.formula,
                "family": model.family,
                "levels": model.design.levels,
                "classes": model.target.levels,
            },
            "fit": {
                "loss_name": model.loss,
                "optimizer": history.optimizer,
                "learning_rate": history.lr,
                "epochs": history.epochs,
                "stop": history.stop,
                "first_loss": history.loss[0],
                "loss": history.final_loss,
                "gradient_norm": history.final_gradient_norm,
                "gap": history.gap,
                "certificate": None if model.certificate is None else model.certificate.as_dict(),
                "rows": model.fitted_rows,
                "settings": model.settings,
                "penalty": None if penalty is None else penalty.tell(lang),
                "seconds": history.elapsed,
            },
            "equation": model.equation.split("\n"),
            "coefficients": None if "coefficients" in model.hypothesis.refusals else model.coefficients,
            "network": model.hypothesis.facts(),
            "verification": None if model.verification is None else verification_facts(model.verification, lang),
            "forecast": None if model.forecast is None else forecast_facts(model.forecast),
            "inference": _inference_facts(model, lang),
            **({} if profile is None else {"profile": asdict(profile)}),
            "findings": [
                {
                    "code": finding.code,
                    "severity": finding.severity,
                    "values": finding.values,
                    "sentence": finding.tell(lang),
                    "remedy": finding.remedy(lang),
                    "fixes": [{**asdict(fix), "label": fix.tell(lang)} for fix in finding.fixes],
                }
                for finding in model.findings
            ],
            "notes": [note.tell(lang) for note in model.notes],
            "kept_rows": 0 if model.sample is None else model.sample.frame.height,
            "files": files or [],
        }
    )
    return facts


def penalty_of(model: FittedModel) -> Note | None:
    """Return the note that says whether the penalty is of standardised columns; None without a penalty."""
    l2 = float(model.settings.get("l2", 0.0))
    if not l2:
        return None
    standardised = model.settings.get("standardize", True) and not model.design.pixels.all(where=model.design.penalised)
    return Note("report.penalty-standardised" if standardised else "report.penalty-raw", {"l2": l2})


def forecast_facts(forecast: Forecast) -> dict[str, Any]:
    """Return a forecast."""
    return dict(json_ready({**asdict(forecast), "condition": forecast.condition, "hopeless": forecast.hopeless}))


def _inference_facts(model: FittedModel, lang: str) -> dict[str, Any]:
    inference = model.inference
    if isinstance(inference, Note):
        return {"reason": inference.tell(lang)}
    contrasts = model.contrasts
    named = [model.hypothesis.coefficient_names(index) for index in range(contrasts.shape[1])]
    coefficients = contrasts * np.array([[one.sign for one in each] for each in named]).T
    if model.design.hypothesis.coefficients and len(named) > 1:  # each output has parameters of its own
        columns: Any = [[one.parameter for one in each] for each in named]
    else:
        columns = [one.parameter for one in named[0]]
    return {
        "columns": columns,
        "outputs": model.target.outputs[-coefficients.shape[1] :],
        "coefficients": coefficients,
        "standard_errors": inference.errors,
        "statistics": inference.statistics(coefficients),
        "p_values": inference.p_values(coefficients),
        "degrees_of_freedom": inference.freedom,
        "residual_variances": inference.variances if inference.freedom is not None else None,
    }


def verification_facts(verification: Verification, lang: str = "en") -> dict[str, Any]:
    """Return a test on unseen rows."""
    more = {"most_confused": verification.confused, "sentence": verification.tell(lang)}
    return dict(json_ready({**verification.as_dict(), **more}))


def comparison_facts(comparison: Comparison, lang: str = "en") -> dict[str, Any]:
    """Return a comparison of hypotheses."""
    facts: dict[str, Any] = json_ready(
        {
            "table": comparison.table_name,
            "rows": comparison.rows,
            "folds": comparison.folds,
            "tested_rows": comparison.tested,
            "metric": comparison.metric,
            "baseline": comparison.baseline,
            "hypotheses": [entry.__dict__ for entry in comparison.entries],
            "best": comparison.best.formula,
            "simplest": comparison.simplest.formula,
            "sentence": say(comparison.verdict, lang, **comparison.values),
        }
    )
    return facts
