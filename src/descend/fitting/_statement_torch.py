"""A module with arrays, tensors or a stream of rows, stated as a problem: from there it is fitted as a formula is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.analysis.verification import split_rows
from descend.base.errors import DesignError, OptionError
from descend.fitting._statement import Statement, state_table
from descend.fitting.problem import Problem
from descend.objectives.losses import LOSSES
from descend.objectives.networks.network import require_torch
from descend.objectives.target import family_of_loss
from descend.solvers.recipe import Recipe

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from descend.fitting.model import Model
    from descend.fitting.trained import TrainedProblem

    Arrays = tuple[NDArray[Any], NDArray[Any]]

NAMED = 100  # at most so many columns get a name each; more are one column of arrays
SEEN = 2000  # rows of a stream from which its table is made


@dataclass(frozen=True)
class DatasetStatement(Statement):
    """A module stated on a torch Dataset or DataLoader, of which the problem has the first rows.

    ``held`` are the rows that are kept back for the test, as a table.
    """

    held: dict[str, Any] | None

    def table_rows(self, trained: TrainedProblem) -> int:
        """Return how many rows were read."""
        return trained.over.rows

    def tested(self, model: Model) -> Model:
        """Return the model with the test on the rows that were kept back, if any."""
        if self.held is None:
            return model
        verification = replace(model.evaluate(self.held), method="holdout")
        return replace(model, assessment=replace(model.assessment, verification=verification))


def state_module(module: Any, data: Any, targets: Any, settings: dict[str, Any]) -> Statement:
    """State a module and its rows as a problem.

    data, targets: inputs and targets in memory, or a torch Dataset or DataLoader of pairs and None.
    Raises DesignError, OptionError.
    """
    if not is_torch_data(data):
        if targets is None:
            raise OptionError("option.no-targets")
        formula, table, settings = as_table(data, targets, module, settings)
        recipe = Recipe(**{**settings, "hypothesis": module})
        return state_table(formula, table, recipe)
    from torch.utils.data import DataLoader

    of_loaders = ("batch_size", "drop_last", "workers") if isinstance(data, DataLoader) else ()
    for name in ("patience", "standardize", *of_loaders):
        if settings.get(name):
            raise OptionError("option.stream-setting", name=name)
    test, seed = settings.get("test", "auto"), settings.get("seed", 0)
    fitted, kept = _held_back(data, test, seed)
    formula, table, settings = as_table(*seen(fitted), module, settings)
    recipe = Recipe(**{**settings, "hypothesis": module, "test": "none"})
    problem = replace(Problem.of(formula, table, recipe), stream=fitted)
    if problem.target.levels and problem.target.label_kind != "boolean":
        # the first rows need not hold every class; a stream's codes are the classes
        count = max(_width(module) or len(problem.target.levels), 2)
        _require_codes(problem.target.levels, count)
        levels = tuple(map(str, range(count)))
        problem = replace(problem, target=replace(problem.target, levels=levels))
    held = None if kept is None else as_table(*seen(kept, most=None), module, settings)[1]
    return DatasetStatement(problem, recipe, problem.split(recipe), held)


def _held_back(data: Any, test: str | float, seed: int) -> tuple[Any, Any]:
    """Return what is fitted of a stream and what is kept back: of a Dataset a share, of a DataLoader nothing."""
    from torch.utils.data import DataLoader, IterableDataset, Subset

    if isinstance(data, (DataLoader, IterableDataset)) or not hasattr(data, "__len__") or test == "none":
        return data, None
    split = split_rows(len(data), test, seed)
    if split.method != "holdout":
        return data, None
    return Subset(data, split.train.tolist()), Subset(data, split.folds[0][1].tolist())


def as_table(X: Any, y: Any, module: Any, settings: dict[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Return a formula, a table and the settings for inputs and targets in memory (NumPy, PyTorch, lists).

    X: rows x anything; rows x columns are columns x1, x2, ...; more dimensions, or many columns, one column x of rows.
    y: (rows,) or rows x targets: text, whole numbers and booleans are classes, as PyTorch has them, other numbers are
    predicted. Unless the settings say otherwise, X goes to the module as it is; but pictures (bytes, rows x height x
    width [x 3]) go from 0 to 1 and colours first.
    """
    inputs, targets = _array(X), _array(y)
    if inputs.dtype.kind not in "fiub":
        raise OptionError("option.array-kind", found=type(X).__name__)
    if inputs.ndim == 0 or targets.ndim == 0 or len(inputs) != len(targets):
        shapes = ("x".join(map(str, np.shape(array))) for array in (inputs, targets))
        raise DesignError("design.unequal-arrays", inputs=next(shapes), targets=next(shapes))
    if not len(inputs):
        raise DesignError("design.empty-stream")
    if inputs.ndim == 1:
        inputs = inputs[:, None]
    table: dict[str, Any] = {}
    if inputs.ndim == 2 and inputs.shape[1] <= NAMED:
        table = {f"x{index + 1}": inputs[:, index] for index in range(inputs.shape[1])}
    else:
        picture = inputs.dtype == np.uint8 and (inputs.ndim == 3 or inputs.shape[3:] == (3,))
        table = {"x": inputs if picture else inputs.astype(np.float32, copy=False)}
    outputs = targets.reshape(len(targets), -1)
    names = ["y"] if outputs.shape[1] == 1 else [f"y{index + 1}" for index in range(outputs.shape[1])]
    table |= {name: outputs[:, index] for index, name in enumerate(names)}
    chosen = {"standardize": False, **settings}
    width, loss = _width(module), chosen.get("loss", "auto")
    classes = outputs.dtype.kind in "iubOU" and len(names) == 1 and not _of_numbers(loss)
    kind = type(loss).__name__
    if callable(loss) and outputs.dtype.kind in "iu" and (width or 1) == 1 and not ("Cross" in kind or "BCE" in kind):
        classes, chosen["family"] = False, "linear"  # whole numbers under a loss of numbers are numbers
    if classes and chosen.get("family", "auto") == "auto":
        many = np.unique(outputs.astype(str)).size > 2 if width is None else width > 1
        chosen["family"] = "softmax" if many else "logistic"
    left, right = (" + ".join(part) for part in (names, [name for name in table if name not in names]))
    return f"{left} ~ {right}", table, chosen


def is_torch_data(data: Any) -> bool:
    """Tell whether something is a torch Dataset or DataLoader, without importing PyTorch for it."""
    homes = {base.__module__ for base in type(data).__mro__}
    return any(home.startswith("torch.utils.data") for home in homes)


def seen(data: Any, most: int | None = SEEN) -> Arrays:
    """Return the first rows of a stream as arrays (None: all), of which its table is made."""
    loaders = require_torch().utils.data
    from descend.objectives.torch_batches import given_pairs  # after it, as that module needs PyTorch

    loader = data if isinstance(data, loaders.DataLoader) else loaders.DataLoader(data, batch_size=256)
    inputs: list[NDArray[Any]] = []
    targets: list[NDArray[Any]] = []
    rows = 0
    for X, y in given_pairs(loader):
        inputs.append(_array(X))
        targets.append(_array(y))
        rows += len(inputs[-1])
        if most is not None and rows >= most:
            break
    if not rows:
        raise DesignError("design.empty-stream")
    for first, second in pairwise(inputs):
        if first.shape[1:] != second.shape[1:]:
            shapes = ["x".join(map(str, array.shape[1:])) for array in (first, second)]
            raise DesignError("design.uneven-stream", first=shapes[0], second=shapes[1])
    return np.concatenate(inputs)[:most], np.concatenate(targets)[:most]


def _require_codes(levels: tuple[str, ...], count: int) -> None:
    """Refuse classes of a stream that are not whole numbers from 0, as PyTorch's losses take them."""
    foreign = [level for level in levels if not (level.isdecimal() and int(level) < count)]
    if foreign:
        raise DesignError("design.stream-classes", found=", ".join(foreign[:5]), last=count - 1)


def _array(values: Any) -> NDArray[Any]:
    if hasattr(values, "detach"):
        return np.asarray(values.detach().cpu().numpy())
    try:
        array = np.asarray(values)
    except ValueError as error:  # rows of different lengths
        raise OptionError("option.array-kind", found=type(values).__name__) from error
    if array.dtype == object and array.ndim != 1:
        raise OptionError("option.array-kind", found=type(values).__name__)
    return array


def _width(module: Any) -> int | None:
    """Return how many outputs a module's last layer has, None where it does not say."""
    layers = list(module.modules()) if hasattr(module, "modules") and not isinstance(module, type) else []
    widths = [layer.out_features for layer in layers if hasattr(layer, "out_features")]
    return int(widths[-1]) if widths else None


def _of_numbers(loss: Any) -> bool:
    """Tell whether a setting names a loss of numbers."""
    return isinstance(loss, str) and loss in LOSSES and not family_of_loss(loss).classes
