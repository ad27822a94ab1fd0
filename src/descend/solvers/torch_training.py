"""The training of a network by a recipe: its device, its loss, its optimizer and its epochs."""

from __future__ import annotations

import copy
import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.base.errors import OptionError
from descend.base.moments import deviations
from descend.objectives.losses import make_loss
from descend.objectives.networks.build import build_network
from descend.objectives.networks.network import require_torch
from descend.solvers.optimizers import OPTIMIZERS
from descend.solvers.run_options import DEFAULT_OPTIONS, RunOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch
    from torch.optim import Optimizer

    from descend.base.typing import Floats
    from descend.design.matrix import Design
    from descend.objectives.families import Family
    from descend.objectives.losses import Loss
    from descend.objectives.networks.network import Network
    from descend.objectives.target import Target
    from descend.objectives.torch_batches import InMemory, StreamedBatches
    from descend.objectives.torch_module import ModuleObjective
    from descend.solvers.history import History
    from descend.solvers.recipe import Recipe

NOT_BY_NAME = ("optimizer", "lbfgs", "sparseadam")  # LBFGS evaluates the loss several times a step
FUSED_ON = ("cpu", "cuda")
OWN_DEGREE = 2  # a user's own loss is taken for a squared error


def prepare(design: Design, target: Target, Y: Floats, recipe: Recipe) -> Network:
    """Return the recipe's network for a design and a target, on its device, with the target's moments from ``Y``.

    Raises OptionError, DesignError.
    """
    torch = require_torch()
    moments = None
    if target.family.link.linear and recipe.standardize and _degree(recipe, target.family):
        spread = deviations(Y)
        moments = Y.mean(axis=0) * design.hypothesis.intercept, np.where(spread > 0, spread, 1.0)
    network = build_network(recipe.hypothesis, design, target, seed=recipe.seed, moments=moments)
    network.body.to(device_of(recipe.device), getattr(torch, recipe.arithmetic))
    if network.named:
        network.body.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    torch_optimizer(recipe, network)  # a setting that it refuses is told before the run
    return network


def in_memory(network: Network, X: Floats, Y: Floats) -> InMemory:
    """Return rows of a design matrix and their targets as the network's tensors, on its device."""
    from descend.objectives.torch_batches import InMemory

    return InMemory.of(network.columns(X), Y, network.reference())


def streamed(network: Network, stream: Any, design: Design, recipe: Recipe) -> StreamedBatches:
    """Return the rows of a torch Dataset or DataLoader as batches of the network's tensors, on its device."""
    from descend.objectives.torch_batches import StreamedBatches

    scale = 1 if design.image is None else design.image.scale
    return StreamedBatches(stream, network.reference(), scale=scale, workers=recipe.workers)


def objective_of(network: Network, source: Any, loss: Loss, recipe: Recipe, *, classes: bool) -> ModuleObjective:
    """Return the loss of a network over rows; ``classes`` where targets are codes of several classes."""
    from descend.objectives.torch_module import ModuleObjective, user_criterion

    own = callable(recipe.loss)
    criterion = user_criterion(recipe.loss, classes) if own else loss.criterion(require_torch())
    unit = float(np.mean(network.spread ** (OWN_DEGREE if own else loss.degree)))
    return ModuleObjective(network, source, loss, criterion, own or loss.mean, unit)


def train_network(
    objective: ModuleObjective,
    recipe: Recipe,
    validation: ModuleObjective | None = None,
    run: RunOptions = DEFAULT_OPTIONS,
) -> History:
    """Train the objective's network in place and return the history, whose final parameters the network then has."""
    from descend.solvers._torch_epochs import backprop

    network = objective.network
    epochs = recipe.epochs_for(objective.rows)
    history = backprop(
        objective,
        torch_optimizer(recipe, network),
        recipe.make_schedule(epochs),
        epochs,
        batch_size=recipe.batch,
        drop_last=recipe.drop_last,
        seed=recipe.seed,
        validation=validation,
        patience=recipe.patience,
        clip=recipe.clip,
        mixed=recipe.mixed_precision,
        batch_history=recipe.batch_history,
        run=run,
    )
    network.load(history.weights)
    return history


def device_of(name: str) -> torch.device:
    """Return a device by name; raises OptionError where it is not there."""
    pytorch = require_torch()
    there = {"cpu": True, "cuda": pytorch.cuda.is_available(), "mps": pytorch.backends.mps.is_available()}
    if name == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if there[kind])
    if not there[name]:
        raise OptionError("option.no-device", value=name)
    found: torch.device = pytorch.device(name)
    return found


def torch_optimizer(recipe: Recipe, network: Network) -> Optimizer:
    """Return the recipe's optimizer over the network's parameters.

    One given as an object is copied, with the network's parameters in place of those it was made for.
    """
    torch = require_torch()
    if not network.parameters:
        raise OptionError("option.module-frozen", name=network.title)
    if not isinstance(recipe.optimizer, str):
        return _rebound(recipe.optimizer, recipe.hypothesis, network)
    kinds = {name.lower(): kind for name, kind in vars(torch.optim).items() if isinstance(kind, type)}
    kinds = {name: kind for name, kind in kinds.items() if issubclass(kind, torch.optim.Optimizer)}
    known = sorted(set(kinds) - set(NOT_BY_NAME))
    if recipe.method not in known:
        raise OptionError("option.optimizer", value=recipe.method, known=", ".join(["auto", *known]))
    kind = kinds[recipe.method]
    parameters = inspect.signature(kind).parameters
    settings = _torch_settings(recipe, parameters)
    if "fused" in parameters and network.device in FUSED_ON:
        settings["fused"] = True  # one pass over all parameters
    try:
        made: Optimizer = kind(network.body.parameters(), **settings)
    except (TypeError, ValueError) as error:
        raise OptionError("option.optimizer-setting", optimizer=recipe.method, reason=str(error)) from error
    return made


def _torch_settings(recipe: Recipe, parameters: Mapping[str, inspect.Parameter]) -> dict[str, Any]:
    """Return the settings of the recipe's optimizer as PyTorch calls them, which has both betas in one."""
    settings = recipe.optimizer_settings()
    betas = [settings.pop(name, None) for name in ("beta1", "beta2")]
    if betas != [None, None]:
        usual = parameters["betas"].default if "betas" in parameters else betas
        settings["betas"] = tuple(own if beta is None else beta for beta, own in zip(betas, usual, strict=True))
    rate = recipe.rate
    if rate is None and recipe.method in OPTIMIZERS:
        rate = OPTIMIZERS[recipe.method].network_rate
    return settings if rate is None else {**settings, "lr": rate}


def _degree(recipe: Recipe, family: Family) -> int:
    return OWN_DEGREE if callable(recipe.loss) else make_loss(recipe.loss, family, delta=recipe.delta).degree


def _rebound(optimizer: Any, hypothesis: Any, network: Network) -> Optimizer:
    torch = require_torch()
    unfit = type(optimizer).__name__.lower() in NOT_BY_NAME
    if unfit or not isinstance(optimizer, torch.optim.Optimizer) or not isinstance(hypothesis, torch.nn.Module):
        raise OptionError("option.optimizer-kind", found=type(optimizer).__name__)
    old, new = list(hypothesis.parameters()), list(network.body.parameters())
    memo: dict[int, Any] = {id(before): after for before, after in zip(old, new, strict=True)}
    held = [id(tensor) for group in optimizer.param_groups for tensor in group["params"]]
    if not set(held) <= set(memo):
        raise OptionError("option.optimizer-parameters")
    copied: Optimizer = copy.deepcopy(optimizer, memo)
    return copied
