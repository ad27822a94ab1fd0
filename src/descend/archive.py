"""A model taken apart into a header and tensors for its file, and put together again."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from descend import storage
from descend._version import __version__
from descend.certificates import Certificate
from descend.design import Design
from descend.diagnosis import SEVERITIES, Finding
from descend.errors import DescendError, ModelError, OptionError
from descend.formula import parse
from descend.history import History
from descend.inference import TENSORS as INFERENCE_TENSORS
from descend.inference import Inference
from descend.losses import NAMES
from descend.messages import Note, has
from descend.model import Model, Sample
from descend.networks.keeping import described, kept_tensors, restored
from descend.objectives.gram import GramObjective
from descend.optimizers import SGD
from descend.solvers.fast_forward import Descent
from descend.tables import is_image
from descend.target import Target, target_uses
from descend.verification import Verification

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from descend.storage import Tensors

    Floats = NDArray[np.floating[Any]]

MOMENTS = ("means", "scales", "sizes", "spreads")
HISTORY_TENSORS = ("epoch", "loss", "gradient_norm", "validation_loss", "batch_loss", "snapshot_epoch", "snapshots")
HISTORY_FACTS = ("stop", "optimizer", "lr", "elapsed", "final_loss", "final_gradient_norm", "gap", "batch_size")
QUADRATIC_TENSORS = ("curvatures", "directions", "minimum", "flat")
REST = "rest"
DESCENTS_UP_TO = 500


def save(model: Model, path: str | os.PathLike[str]) -> Path:
    """Write a model to one file, whole or not at all. Returns its path."""
    return storage.write(path, *_taken_apart(model))


def load(path: str | os.PathLike[str], *, module: Any = None) -> Model:
    """Read a model that ``Model.save`` wrote; raises ModelError for a file that is not one, or not whole.

    module: of a network that was no named architecture, its class or one of its modules: a file holds parameters, not
    programs.
    """
    header, tensors = storage.read(path)
    if "checkpoint" in header:
        raise ModelError("model.checkpoint", file=Path(path).name)
    try:
        return _put_together(header, tensors, module, Path(path).name)
    except ModelError:
        raise
    except OptionError as error:
        if error.code == "option.needs-extra":
            raise
        raise ModelError("model.inconsistent", file=Path(path).name, reason=error.code) from error
    except (DescendError, KeyError, ValueError, TypeError, AttributeError, IndexError, StopIteration) as error:
        reason = f"{type(error).__name__}: {error}"[:200]
        raise ModelError("model.inconsistent", file=Path(path).name, reason=reason) from error


def _taken_apart(model: Model) -> tuple[dict[str, Any], Tensors]:
    history = model.history
    header = {
        "version": __version__,
        "formula": model.formula,
        "design": model.design.describe(),
        "target": model.target.describe(),
        "loss": model.loss,
        "delta": model.delta,
        "table": {"name": model.table_name, "rows": model.table_rows, "columns": model.table_columns},
        "fitted_rows": model.fitted_rows,
        "means": model.means,
        "ranges": {name: list(ends) for name, ends in model.ranges.items()},
        "settings": model.settings,
        "notes": [asdict(note) for note in model.notes],
        "history": {fact: getattr(history, fact) for fact in HISTORY_FACTS},
        "verification": None if model.verification is None else model.verification.as_dict(),
        "sampled": model.sample is not None,
        "findings": [asdict(finding) for finding in model.findings],
        "certificate": None if model.certificate is None else asdict(model.certificate),
        "inference": _note_or_freedom(model.inference),
        "descent": None,
        "network": None if model.network is None else described(model.network),
    }
    tensors: Tensors = {
        "weights": model.weights if model.network is None else np.empty((0, 1)),
        **{moment: getattr(model.design, moment) for moment in MOMENTS},
        "base": model.base,
    }
    tensors |= {f"history.{name}": getattr(history, name) for name in HISTORY_TENSORS}
    if model.network is not None:
        tensors |= {f"network.{name}": tensor for name, tensor in kept_tensors(model.network).items()}
    if model.errors is not None:
        tensors["errors"] = model.errors
    if model.exact is not None:
        tensors["exact"] = model.exact
    if model.rest is not None:
        tensors["exact.rest"] = model.rest
    if isinstance(model.inference, Inference):
        found = {name: getattr(model.inference, name) for name in (*INFERENCE_TENSORS, REST)}
        tensors |= {f"inference.{name}": tensor for name, tensor in found.items() if tensor is not None}
    if model.descent is not None and model.descent.objective.directions.size <= DESCENTS_UP_TO**2:
        quadratic, optimizer = model.descent.objective, model.descent.optimizer
        header["descent"] = {
            "least": quadratic.least,
            "elements": quadratic.elements,
            "beyond": quadratic.beyond,
            "lr": optimizer.lr,
            "momentum": optimizer.momentum,
            "nesterov": optimizer.nesterov,
        }
        tensors |= {f"descent.{name}": getattr(quadratic, name) for name in QUADRATIC_TENSORS}
        tensors["descent.start"] = model.descent.start
    if model.sample is not None:
        tensors["sample.tested"] = model.sample.tested
        levels = _levels(model.design, model.target)
        for name in model.sample.frame.columns:
            series = model.sample.frame[name]
            if name in levels:
                series = series.replace_strict(levels[name], range(len(levels[name])), return_dtype=pl.Int32)
            tensors[f"sample.{name}"] = series.to_numpy()
    return header, tensors


def _put_together(header: dict[str, Any], tensors: Tensors, module: Any, file: str) -> Model:
    table = header["table"]
    hypothesis = parse(header["formula"]).resolve(table["columns"])
    design = Design.restore(hypothesis, header["design"], [tensors[moment] for moment in MOMENTS])
    target = Target.restore(hypothesis, header["target"])
    weights, width = tensors["weights"], len(design.names)
    outputs = target.columns if target.family == "linear" else target.levels
    network = None
    if header["network"] is not None:
        kept = {name.removeprefix("network."): t for name, t in tensors.items() if name.startswith("network.")}
        network = restored(header["network"], kept, design, target, module, file)
        weights = network.state()[:, None]
    shapes = {
        "weights": (width if network is None else 0, len(target.outputs) if network is None else 1),
        **dict.fromkeys(MOMENTS, (width,)),
        "base": (1, len(outputs)),
    }
    for name, shape in shapes.items():
        _shaped(tensors[name], shape)
    if header["loss"] not in NAMES or not (design.scales > 0).all():
        raise ValueError("loss" if (design.scales > 0).all() else "scales")
    facts: dict[str, Any] = {fact: header["history"][fact] for fact in HISTORY_FACTS}
    for fact in ("lr", "final_loss", "final_gradient_norm"):
        facts[fact] = math.nan if facts[fact] is None else float(facts[fact])
    record: dict[str, Any] = {name: tensors[f"history.{name}"] for name in HISTORY_TENSORS}
    if not record["epoch"].size == record["loss"].size == record["gradient_norm"].size > 0:
        raise ValueError("history")
    verification = header["verification"]
    return Model(
        design=design,
        target=target,
        loss=header["loss"],
        delta=float(header["delta"]),
        weights=weights,
        history=History(**record, weights=weights.ravel(), **facts),
        verification=None if verification is None else Verification(**_with_nan(verification)),
        table_name=str(table["name"]),
        table_rows=int(table["rows"]),
        table_columns=list(table["columns"]),
        fitted_rows=int(header["fitted_rows"]),
        base=tensors["base"],
        means={name: float("nan") if mean is None else float(mean) for name, mean in header["means"].items()},
        settings=dict(header["settings"]),
        notes=[_note(note) for note in header["notes"]],
        sample=_sample(design, target, tensors) if header["sampled"] else None,
        exact=_shaped(tensors["exact"], weights.shape) if "exact" in tensors else None,
        rest=_shaped(tensors["exact.rest"], tensors["exact"].shape) if "exact.rest" in tensors else None,
        certificate=_certificate(header["certificate"]),
        inference=_inference(header["inference"], tensors, weights.shape, linear=target.family == "linear"),
        findings=[_finding(found) for found in header["findings"]],
        descent=_descent(header["descent"], tensors, weights.shape),
        ranges={name: (float(low), float(high)) for name, (low, high) in header.get("ranges", {}).items()},
        errors=_shaped(tensors["errors"], (len(tensors["errors"]), len(outputs))) if "errors" in tensors else None,
        network=network,
    )


def _note_or_freedom(inference: Inference | Note) -> dict[str, Any]:
    return {"note": asdict(inference)} if isinstance(inference, Note) else {"freedom": inference.freedom}


def _inference(found: dict[str, Any], tensors: Tensors, shape: tuple[int, int], *, linear: bool) -> Inference | Note:
    if "note" in found:
        return _note(found["note"])
    (columns, outputs), freedom = shape, found["freedom"]
    if (freedom is None) == linear or (linear and (type(freedom) is not int or freedom < 1)):
        raise ValueError(f"freedom {freedom}")
    each = outputs if linear else max(outputs - 1, 1)
    wide = columns if linear else columns * each
    shapes = (wide, wide), (each,), (columns, each)
    root, variances, errors = (
        _shaped(tensors[f"inference.{name}"], shape, gaps=name == "errors")
        for name, shape in zip(INFERENCE_TENSORS, shapes, strict=True)
    )
    told = root.reshape(columns, -1).any(axis=1)  # NaN is the error of a column of which the rows say nothing
    if (variances < 0).any() or (errors < 0).any() or np.isnan(errors[told]).any():
        raise ValueError("negative variance")
    rest = tensors.get(f"inference.{REST}")
    return Inference(root, variances, errors, freedom, None if rest is None else _shaped(rest, root.shape))


def _note(found: dict[str, Any]) -> Note:
    if not has(str(found["code"])):
        raise ValueError(str(found["code"]))
    return Note(str(found["code"]), dict(found["values"]))


def _finding(found: dict[str, Any]) -> Finding:
    note = _note(found)
    values = {key: math.inf if value is None else value for key, value in note.values.items()}
    if found["severity"] not in SEVERITIES or not has(f"{note.code}.remedy"):
        raise ValueError(note.code)
    return Finding(note.code, found["severity"], values)


def _certificate(found: dict[str, Any] | None) -> Certificate | None:
    if found is None:
        return None
    kind, gap = found["kind"], found["gap"]
    if kind not in ("exact", "bound", "none") or (gap is None) != (kind == "none"):
        raise ValueError(f"certificate {kind}")
    slope = math.nan if found["slope"] is None else float(found["slope"])
    return Certificate(kind, None if gap is None else float(gap), slope)


def _descent(found: dict[str, Any] | None, tensors: Tensors, shape: tuple[int, int]) -> Descent | None:
    if found is None:
        return None
    columns = shape[0]
    flat, among = tensors["descent.flat"], tensors["descent.curvatures"].shape
    if len(among) != 1 or among[0] > columns or float(found["beyond"]) < 0:
        raise ValueError(among)
    quadratic = GramObjective(
        _shaped(tensors["descent.curvatures"], among),
        _shaped(tensors["descent.directions"], (columns, *among)),
        _shaped(tensors["descent.minimum"], shape),
        float(found["least"]),
        _shaped(flat, (columns, flat.shape[1])),
        int(found["elements"]),
        float(found["beyond"]),
    )
    optimizer = SGD(float(found["lr"]), float(found["momentum"]), bool(found["nesterov"]))
    return Descent(quadratic, _shaped(tensors["descent.start"], (columns * shape[1],)), optimizer)


def _shaped(tensor: NDArray[Any], shape: tuple[int, ...], *, gaps: bool = False) -> Floats:
    """Return a tensor of finite numbers, or with ``gaps`` NaN among them; raises ValueError for any other."""
    sound = np.isfinite(tensor) | (np.isnan(tensor) & gaps) if tensor.dtype == np.float64 else np.zeros(1, bool)
    if tensor.shape != shape or not sound.all():
        raise ValueError(f"{tensor.dtype}{tensor.shape}")
    return tensor


def _sample(design: Design, target: Target, tensors: Tensors) -> Sample:
    levels = _levels(design, target)
    columns: dict[str, pl.Series] = {}
    for name in {**design.uses, **target_uses(design.hypothesis, target.family)}:
        values = tensors[f"sample.{name}"]
        if name in levels:
            known = np.array(levels[name], dtype=object)
            columns[name] = pl.Series(name, known[values].tolist(), dtype=pl.String)
        else:
            columns[name] = pl.Series(name, values)
        if (design.uses.get(name) == "image") != is_image(columns[name].dtype):
            raise ValueError(name)
    return Sample(pl.DataFrame(columns), tensors["sample.tested"].astype(bool))


def _levels(design: Design, target: Target) -> dict[str, tuple[str, ...]]:
    return {**design.levels, **({target.columns[0]: target.levels} if target.levels else {})}


def _with_nan(value: Any) -> Any:
    """Return a verification's values with NaN where null stands for a score that could not be had."""
    if isinstance(value, dict):
        return {key: _with_nan(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_nan(inner) for inner in value]
    return math.nan if value is None else value
