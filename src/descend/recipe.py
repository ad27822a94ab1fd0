"""The recipe: every setting of a fit, checked once, kept in the model and used again for every refit."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from descend import losses, optimizers
from descend.columns import POLICIES
from descend.errors import OptionError
from descend.schedules import Schedule

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Init = str | Mapping[str, float | Sequence[float]] | Sequence[float] | np.ndarray[Any, Any]

DTYPES = ("float64", "float32")
EPOCHS = 1000


@dataclass(frozen=True)
class Recipe:
    """How to fit.

    family: "auto", "linear", "logistic" or "softmax".
    loss: "auto" (the family's), "mse", "sse", "mae", "huber" (corner at ``delta``), "msle", "mape",
        "binary_cross_entropy" or "cross_entropy".
    optimizer: "auto" goes to the optimum; "sgd" (with ``momentum``, ``nesterov``), "rmsprop", "adagrad", "adam".
    lr: learning rate; "auto" or None takes the best one (sgd) or the optimizer's usual one.
    epochs: how many (None: 1000); tolerance: stop when the gradient's norm falls to so many times its first.
    batch_size: rows a step; None: all.
    schedule: "constant", "step" (``gamma`` every ``step_size`` epochs), "exponential", "cosine"; ``warmup`` epochs.
    l2: adds l2 times the squared parameters, the intercept's excepted (PyTorch's weight_decay is 2 l2).
    standardize: scale columns inside to mean 0 and deviation 1 (``ddof`` 0: population's, 1: sample's).
    init: "zeros", "normal" (from the seed), or parameters by column name or as an array (columns x outputs), of the
        columns as the optimizer sees them.
    missing: what to do with missing cells: "error", "drop" or "mean".
    test: "auto" (20% of the rows from 50 on, else each row left out in turn), "none", "loo", a share between 0 and 1,
        or a number of folds.
    patience: stop when the loss on held-out ``validation`` (a share of the training rows) has not improved for so
        many epochs; None: never.
    """

    family: str = "auto"
    loss: str = "auto"
    delta: float = 1.0
    optimizer: str = "auto"
    lr: float | str | None = None
    momentum: float = 0.0
    nesterov: bool = False
    epochs: int | None = None
    tolerance: float = 0.0
    batch_size: int | None = None
    schedule: str = "constant"
    gamma: float = 0.1
    step_size: int = 100
    warmup: int = 0
    l2: float = 0.0
    standardize: bool = True
    ddof: int = 0
    init: Any = "zeros"
    seed: int = 0
    missing: str = "error"
    test: str | float = "auto"
    validation: float = 0.2
    patience: int | None = None
    dtype: str = "float64"

    def __post_init__(self) -> None:
        """Check everything that can be checked before a table is read; raises OptionError."""
        for f in fields(self):
            value = getattr(self, f.name)
            if type(f.default) is float or f.name == "lr":
                given = value is not None and not (f.name == "lr" and value == "auto")
                if given and (isinstance(value, bool) or not isinstance(value, (int, float, np.number))):
                    raise OptionError("option.not-number", name=f.name, value=value)
        if self.loss not in ("auto", *losses.NAMES):
            raise OptionError("option.loss", value=self.loss, known=", ".join(losses.NAMES))
        if self.missing not in POLICIES:
            raise OptionError("option.missing", value=self.missing, known=", ".join(POLICIES))
        if self.dtype not in DTYPES:
            raise OptionError("option.dtype", value=self.dtype, known=", ".join(DTYPES))
        if self.ddof not in (0, 1):
            raise OptionError("option.ddof", value=self.ddof)
        for name in ("epochs", "batch_size", "patience"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or value != int(value) or value < 1):
                raise OptionError("option.count", name=name, value=value)
        for name in ("l2", "tolerance"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value >= 0):
                raise OptionError("option.not-negative", name=name, value=value)
        if not 0 < self.validation < 1:
            raise OptionError("option.share", name="validation", value=self.validation)
        if self.seed < 0:
            raise OptionError("option.not-negative", name="seed", value=self.seed)
        if isinstance(self.init, str) and self.init not in ("zeros", "normal"):
            raise OptionError("option.init", value=self.init)
        if self.optimizer != "auto" or self.iterates:
            name = "sgd" if self.optimizer == "auto" else self.optimizer
            lr = 1.0 if self.rate is None else self.rate
            optimizers.make_optimizer(name, lr, momentum=self.momentum, nesterov=self.nesterov)
        self.make_schedule()
        self._check_needs()

    def _check_needs(self) -> None:
        """Refuse a setting that would do nothing without another."""
        needs = {
            "validation": (self.patience is not None, "patience"),
            "gamma": (self.schedule in ("step", "exponential"), "schedule step, exponential"),
            "step_size": (self.schedule == "step", "schedule step"),
            "delta": (self.loss == "huber", "loss huber"),
        }
        defaults = {f.name: f.default for f in fields(self)}
        for name, (met, needed) in needs.items():
            if not met and getattr(self, name) != defaults[name]:
                raise OptionError("option.no-effect", name=name, needs=needed)

    @property
    def iterates(self) -> bool:
        """Whether a setting only makes sense epoch by epoch, so that "auto" means sgd."""
        asked = (self.lr, self.epochs, self.batch_size, self.patience)
        chosen = self.momentum or self.nesterov or self.schedule != "constant" or self.warmup or self.tolerance
        return any(value is not None for value in asked) or bool(chosen)

    @property
    def method(self) -> str:
        """The optimizer that is used: the one asked for, or sgd where "auto" cannot honour a setting."""
        return "sgd" if self.optimizer == "auto" and self.iterates else self.optimizer

    @property
    def rate(self) -> float | None:
        """The learning rate where one was given, None where it is to be found."""
        return None if self.lr is None or isinstance(self.lr, str) else float(self.lr)

    @property
    def length(self) -> int:
        """The number of epochs."""
        return EPOCHS if self.epochs is None else int(self.epochs)

    def make_schedule(self) -> Schedule:
        """Return the schedule of the learning rate."""
        return Schedule(self.schedule, self.length, self.gamma, self.step_size, self.warmup)

    def changes(self) -> dict[str, Any]:
        """Return the settings that differ from the defaults."""
        made = {f.name: getattr(self, f.name) for f in fields(self)}
        changed = {}
        for f in fields(self):
            value = made[f.name]
            if isinstance(value, np.ndarray):
                value = value.tolist()
            if f.name == "init" and not isinstance(value, str):
                value = "given"
            if value != f.default:
                changed[f.name] = value
        return changed

    def start(self, names: list[str], outputs: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return the first parameters, flat; raises OptionError when the given ones do not fit the columns."""
        shape = (len(names), outputs)
        if isinstance(self.init, str):
            if self.init == "normal":
                return np.random.default_rng(self.seed).standard_normal(shape).ravel()
            return np.zeros(shape).ravel()
        if hasattr(self.init, "items"):
            start = np.zeros(shape)
            for name, value in self.init.items():
                if name not in names:
                    raise OptionError("option.init-name", found=name, known=", ".join(names[:20]))
                try:
                    start[names.index(name)] = value
                except ValueError as error:
                    raise OptionError("option.init-shape", expected=f"{outputs}", found=str(np.size(value))) from error
        else:
            start = np.asarray(self.init, dtype=np.float64)
            if start.size != shape[0] * shape[1]:
                raise OptionError("option.init-shape", expected=f"{shape[0]} x {shape[1]}", found=str(start.size))
        if not np.isfinite(start).all():
            raise OptionError("option.init-finite")
        return start.ravel()
