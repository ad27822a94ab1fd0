"""The recipe: every setting of a fit, checked once, kept in the model and used again for every refit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.base.arguments import require_known
from descend.base.errors import OptionError
from descend.objectives.penalties import L2
from descend.solvers.make import make_optimizer, make_schedule
from descend.solvers.optimizers import OPTIMIZERS, Optimizer
from descend.solvers.parameter_settings import (
    bounds_of,
    held_of,
    names_given,
)
from descend.solvers.schedules import SCHEDULES, Schedule
from descend.solvers.settings import (
    EQUATION,
    OF_OPTIMIZERS,
    OF_SCHEDULES,
    SETTINGS,
    Settings,
    check_needs,
    check_settings,
    is_default,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from descend.base.typing import Floats
    from descend.design.matrix import Design
    from descend.objectives.penalties import Penalty

    Init = str | Mapping[str, float | Sequence[float]] | Sequence[float] | np.ndarray[Any, Any]

EPOCHS = 1000
NETWORKS = "adam"  # the optimizer of a network where it is left to us
EQUATIONS = "sgd"  # and of an equation's run epoch by epoch
BATCH = 32  # rows a step of a network whose optimizer is left to us
STEPS = 3000  # that it takes where the epochs are left to us too
FEWEST, MOST = 5, 500


@dataclass(frozen=True, eq=False)
class Recipe(Settings):
    """How to fit: every setting, checked; raises OptionError.

    hypothesis: "linear"; a network, such as "mlp(32, 16, dropout=0.1)" or "cnn"; a PyTorch module or a class of them.
    family: "auto" (by the target's column), "linear", "logistic", "softmax" or "poisson" (counts).
    loss: "auto" (the family's) or the name of another loss that the family has, such as "huber" (corner at ``delta``);
        of a network also a callable of logits and targets.
    optimizer: "auto" goes to the optimum; a name of ``solvers.optimizers.OPTIMIZERS`` takes steps. Of a network "auto"
        is adam in batches of 32, and any optimizer of torch.optim is had by name or as an object.
    momentum, nesterov, alpha, beta1, beta2, eps, lr_decay, weight_decay: PyTorch's settings of the optimizers that have
        them; None: the optimizer's usual ones. weight_decay draws all parameters to 0, of standardised columns where
        these are, the intercept too: ``l2`` is the penalty whose minimum is known.
    lr: learning rate; "auto" or None takes the best one (sgd) or the optimizer's usual one.
    epochs: how many (None: 1000; of a network under "auto" about 3,000 steps); tolerance: stop when the gradient's norm
        falls to so many times its first.
    batch_size: rows a step; None: all. drop_last: leave out the last batch of an epoch where it is smaller.
    batch_history: keep the loss of every batch.
    schedule: "constant", "step" (``gamma`` every ``step_size`` epochs), "exponential", "cosine"; ``warmup`` epochs.
    l2: adds l2 times the squared parameters of the standardised columns (without ``standardize``: of the columns as
        they are), the intercept's excepted (PyTorch's weight_decay is 2 l2).
    standardize: scale columns inside to mean 0 and deviation 1 (``ddof`` 0: population's, 1: sample's).
    init: "zeros", "normal" (from the seed), or parameters by column name or as an array (columns x outputs), of the
        columns as the optimizer sees them; of an equation by the names of its parameters, in its own units.
    bounds, fixed, parameters: of an equation, ranges of parameters (``{"b": (0, None)}``), the values of those that are
        held, and names that are parameters although they are like a column's.
    missing: what to do with missing cells: "error", "drop" or "mean".
    test: "auto" (20% of the rows from 50 on, else each row left out in turn), "none", "loo", a share between 0 and 1,
        or a number of folds.
    patience: stop when the loss on held-out ``validation`` (a share of the training rows) has not improved for so
        many epochs; None: never.
    dtype: "float64" or "float32"; "auto": float64, of a network float32.
    clip, device, mixed_precision, workers: of networks: the largest norm of a step's gradient, where to compute
        ("auto": a graphics processor where there is one), half precision on cuda, and the processes that read a torch
        Dataset.
    keep_rows: how many rows of the table the model, and so its file, keeps for its pictures; 0: none.
    search: about how many seconds the starts of an equation that is not linear in its parameters are sought for; 0:
        only from the values that are given.
    minutes: how long the work on very many columns, of which nothing is heard until it is done, may take by an
        estimate before it; more is refused.

    >>> recipe = Recipe(optimizer="adam", lr=0.01, beta1=0.8)
    >>> recipe.method, recipe.rate, recipe.length
    ('adam', 0.01, 1000)
    >>> recipe.given()
    {'optimizer': 'adam', 'lr': 0.01, 'beta1': 0.8}
    """

    def __new__(cls, *_: Any, **settings: Any) -> Recipe:
        """Refuse a setting that there is not, with the one that may be meant; raises OptionError."""
        require_known(settings, list(SETTINGS))
        return super().__new__(cls)

    @classmethod
    def of(cls, recipe: Recipe | None, settings: Mapping[str, Any]) -> Recipe:
        """Return the recipe that is given, or that of settings; raises OptionError for both, and for no recipe."""
        if recipe is None:
            return cls(**settings)
        if not isinstance(recipe, cls):
            raise OptionError("option.kind", name="recipe", found=type(recipe).__name__, wanted="Recipe, None")
        if settings:
            raise OptionError("option.recipe-and-settings", names=", ".join(settings))
        return recipe

    def __eq__(self, other: object) -> bool:
        """Tell whether all settings are the same; starting values are compared number by number."""
        if not isinstance(other, Recipe):
            return NotImplemented
        return all(_alike(getattr(self, name), getattr(other, name)) for name in SETTINGS)

    def __hash__(self) -> int:
        return hash(tuple(v for name in SETTINGS if isinstance(v := getattr(self, name), str | int | float)))

    def __post_init__(self) -> None:
        """Check everything that can be checked before a table is read; raises OptionError."""
        check_settings(self)
        if not self.networked and self.method != "auto":
            self.make_optimizer(1.0 if self.rate is None else self.rate)
        self.make_schedule()
        check_needs(self)

    @property
    def networked(self) -> bool:
        """Whether the hypothesis is a network."""
        return not (isinstance(self.hypothesis, str) and self.hypothesis == EQUATION)

    @property
    def arithmetic(self) -> str:
        """The numbers that are computed with: float64 or float32."""
        if self.dtype != "auto":
            return self.dtype
        return "float32" if self.networked else "float64"

    @property
    def batch(self) -> int | None:
        """The rows a step, None for all."""
        usual = BATCH if self.networked and isinstance(self.optimizer, str) and self.optimizer == "auto" else None
        return usual if self.batch_size is None else int(self.batch_size)

    @property
    def iterates(self) -> bool:
        """Whether a setting only makes sense epoch by epoch, so that "auto" means sgd."""
        asked = (self.lr, self.epochs, self.batch_size, self.patience)
        chosen = self.momentum or self.nesterov or self.schedule != "constant" or self.warmup or self.tolerance
        return any(value is not None for value in asked) or bool(chosen)

    @property
    def method(self) -> str:
        """The optimizer that is used: the one asked for, or sgd where "auto" cannot honour a setting."""
        if not isinstance(self.optimizer, str):
            return type(self.optimizer).__name__.lower()
        if self.networked:
            return NETWORKS if self.optimizer == "auto" else self.optimizer
        return EQUATIONS if self.optimizer == "auto" and self.iterates else self.optimizer

    @property
    def rate(self) -> float | None:
        """The learning rate where one was given, None where it is to be found."""
        return None if self.lr is None or isinstance(self.lr, str) else float(self.lr)

    @property
    def length(self) -> int:
        """The number of epochs."""
        return EPOCHS if self.epochs is None else int(self.epochs)

    def epochs_for(self, rows: int) -> int:
        """Return the number of epochs over so many rows."""
        if self.epochs is not None or self.batch is None or self.batch_size is not None or not self.networked:
            return self.length
        return min(max(-(-STEPS * self.batch // max(rows, 1)), FEWEST), MOST)

    @property
    def limits(self) -> dict[str, tuple[float, float]]:
        """The bounds by parameter."""
        return bounds_of(self.bounds)

    @property
    def held(self) -> dict[str, float]:
        """The values of the parameters that are held."""
        return held_of(self.fixed)

    @property
    def declared(self) -> tuple[str, ...]:
        """The names that any setting says are parameters."""
        first = [str(name) for name in self.init] if hasattr(self.init, "items") else []
        return tuple(dict.fromkeys([*first, *self.limits, *self.held, *names_given(self.parameters)]))

    def without_parameters(self, names: Collection[str]) -> Recipe:
        """Return the recipe without what its settings say of some parameters."""

        def kept(found: Mapping[str, Any]) -> dict[str, Any]:
            return {name: value for name, value in found.items() if name not in names}

        if not set(names) & set(self.declared):
            return self
        return replace(
            self,
            init=(kept(self.init) or "zeros") if hasattr(self.init, "items") else self.init,
            bounds=kept(self.limits) or None,
            fixed=kept(self.held) or None,
            parameters=[name for name in names_given(self.parameters) if name not in names] or None,
        )

    def make_schedule(self, epochs: int | None = None) -> Schedule:
        """Return the schedule of the learning rate over so many epochs (None: ``length``)."""
        own = {name: getattr(self, name) for name in OF_SCHEDULES}
        return make_schedule(self.schedule, epochs or self.length, self.warmup, **own)

    def optimizer_settings(self) -> dict[str, Any]:
        """Return the settings of the optimizer that are not its own defaults, by their names."""
        return {name: value for name, value in self.given().items() if name in OF_OPTIMIZERS}

    def optimizer_has(self, setting: str) -> bool:
        """Tell whether the optimizer has a setting of that name; of a network PyTorch tells."""
        return self.networked or (self.method != "auto" and setting in OPTIMIZERS[self.method].own())

    def make_optimizer(self, lr: float) -> Optimizer:
        """Return the optimizer of an equation's run epoch by epoch, at a learning rate; raises OptionError."""
        return make_optimizer(self.method, lr, **self.optimizer_settings())

    @property
    def recurs(self) -> bool:
        """Whether an equation's run is SGD's own recurrence, whose stable rates and epochs are known."""
        return not self.networked and self.method != "auto" and self.make_optimizer(1.0).recurrence is not None

    def penalty(self, counts: NDArray[Any]) -> Penalty:
        """Return the penalty of ``l2`` on columns that count for so much each."""
        return L2(self.l2, counts)

    def given(self) -> dict[str, Any]:
        """Return the settings that are not the defaults, as they are."""
        made = {name: (getattr(self, name), row.default) for name, row in SETTINGS.items()}
        return {name: value for name, (value, default) in made.items() if not is_default(value, default)}

    def changes(self) -> dict[str, Any]:
        """Return the settings that differ from the defaults."""
        changed = {}
        for name, row in SETTINGS.items():
            value = getattr(self, name)
            if isinstance(value, np.ndarray):
                value = value.tolist()
            if name == "init" and not isinstance(value, str):
                value = "given"
            value = row.kind.written(value)
            if name in ("hypothesis", "optimizer", "loss") and not isinstance(value, str):
                value = getattr(value, "__name__", type(value).__name__)
            if value != row.default:
                changed[name] = value
        return changed

    def mark(self) -> dict[str, Any]:
        """Return the settings that tell a run from another, for its checkpoint.

        A run can be taken up again for more epochs, but under a schedule that is spread over all of them.
        """
        settings = self.changes()
        settings.pop("minutes", None)
        if not SCHEDULES[self.schedule].spread:
            settings.pop("epochs", None)
        return settings

    def start_of(self, design: Design, outputs: int) -> Floats:
        """Return the first parameters of a design, flat; of an equation those given by name are in its own units.

        Raises OptionError as ``start``.
        """
        named = design.hypothesis.coefficients
        if not named or not hasattr(self.init, "items"):
            return self.start(design.names, outputs)
        given = self.start([one.parameter for each in named for one in each], 1)
        signs = np.array([one.sign for each in named for one in each])
        return design.from_raw((given * signs).reshape(outputs, -1).T).ravel()

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
                except (ValueError, TypeError, OverflowError) as error:
                    raise OptionError("option.init-shape", expected=f"{outputs}", found=str(np.size(value))) from error
        else:
            try:
                start = np.asarray(self.init, dtype=np.float64)
            except (ValueError, TypeError, OverflowError) as error:
                found = type(self.init).__name__
                raise OptionError("option.kind", name="init", found=found, wanted="str, dict, float array") from error
            if start.size != shape[0] * shape[1]:
                raise OptionError("option.init-shape", expected=f"{shape[0]} x {shape[1]}", found=str(start.size))
        if not np.isfinite(start).all():
            raise OptionError("option.init-finite")
        return start.ravel()


def _alike(one: Any, other: Any) -> bool:
    """Tell whether two settings are the same, whatever they are."""
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return type(one) is type(other) and np.array_equal(one, other)
    return one is other or (
        type(one) is type(other) and isinstance(one, str | int | float | list | dict) and one == other
    )
