"""Epochs of a PyTorch optimizer on a module: batches, early stopping, clipping, mixed precision, checkpoints."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from descend.base.errors import FitError
from descend.solvers._loop import Limits, Look, run_epochs
from descend.solvers._recorder import EpochRecorder
from descend.solvers.run_options import DEFAULT_OPTIONS, RunOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from descend.base.typing import Arrays
    from descend.objectives.torch_module import ModuleObjective
    from descend.solvers.checkpoint import SavedRun
    from descend.solvers.history import History
    from descend.solvers.schedules import Schedule

FEW_ROWS = 256  # of a step: with so few, threads wait for one another longer than they work
SMALL_WORK = 30_000_000  # rows times parameters of a step: the same
LARGEST_SEED = 2**63  # PyTorch takes no larger one
NORMS = (torch.nn.modules.batchnorm._BatchNorm, torch.nn.modules.instancenorm._InstanceNorm)


def backprop(
    objective: ModuleObjective,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    epochs: int,
    *,
    batch_size: int | None = None,
    drop_last: bool = False,
    seed: int = 0,
    validation: ModuleObjective | None = None,
    patience: int | None = None,
    clip: float | None = None,
    mixed: bool = False,
    batch_history: bool = False,
    run: RunOptions = DEFAULT_OPTIONS,
) -> History:
    """Train the objective's network in place and return the history; the options are those of ``iterate``.

    The losses by epoch are of all rows before the epoch's updates, in evaluation mode. The random numbers of an epoch
    depend on ``seed`` and its number alone. Gradient norms are of full batches only.
    clip: the largest norm of a step's gradient. mixed: half precision where the device is cuda.
    Raises FitError where the loss at the start is not finite.
    """
    network = objective.network
    rates = [group["lr"] for group in optimizer.param_groups]
    restores = patience is not None and validation is not None
    record = EpochRecorder(epochs, network.state().size, restores=restores)
    stepper = _Stepper(objective, optimizer, clip, mixed)
    batches = partial(objective.source.batches, batch_size, drop_last=drop_last, least=_least_rows(network.body))
    keeps = batch_history or run.on_batch is not None
    training = _Module(objective, validation, stepper, rates, schedule, batches, batch_size, seed, run, keeps)
    with _own_randomness(), _threads(objective, batch_size):
        stop = run_epochs(training, record, Limits(epochs, patience), run)
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    network.body.eval()
    history = record.history(stop, type(optimizer).__name__.lower(), float(rates[0]), batch_size)
    if batch_size is not None or history.diverged:
        return history  # a gradient of all rows costs as much as half an epoch
    slope = float(np.linalg.norm(objective.gradient(history.weights)))
    return replace(history, final_gradient_norm=slope)


@dataclass
class _Module:
    """A module and its optimizer, which takes a step for every batch."""

    objective: ModuleObjective
    validation: ModuleObjective | None
    stepper: _Stepper
    rates: list[Any]
    schedule: Schedule
    batches: Callable[[], Iterator[tuple[torch.Tensor, torch.Tensor]]]
    batch_size: int | None
    seed: int
    run: RunOptions
    keeps: bool

    def look(self, epoch: int) -> Look:
        """Read the losses in evaluation mode; raises FitError where the first is not finite."""
        objective, held = self.objective, self.validation
        loss = objective.here()
        if epoch == 0 and not np.isfinite(loss):
            raise FitError("fit.not-finite", dtype=objective.network.dtype)
        if held is None:
            return Look(objective.network.state(), loss, np.nan, None)
        # a sum over the held-out rows is told as one over as many rows as were fitted
        share = 1.0 if objective.mean else objective.rows / held.rows
        return Look(objective.network.state(), loss, np.nan, held.here() * share)

    def step(self, epoch: int, record: EpochRecorder) -> None:
        """Make the updates of an epoch; its random numbers depend on the seed and the epoch's number alone."""
        for group, rate in zip(self.stepper.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * self.schedule.factor(epoch)
        _draw_from((self.seed << 24) + epoch)
        self.objective.network.body.train()
        for X, Y in self.batches():
            loss, norm = self.stepper(X, Y)
            if self.batch_size is None:
                record.slopes[-1] = float(norm)
            if self.keeps:
                record.batch_losses.append(float(loss))
                self.run.tell_batch(epoch, record.batch_losses[-1])

    def state(self) -> tuple[Arrays, dict[str, Any]]:
        """Return the module's and the optimizer's tensors, and the optimizer's other values."""
        optimizer = self.stepper.optimizer
        return _arrays(self.objective.network.body, optimizer), _facts(optimizer)

    def restore(self, saved: SavedRun) -> None:
        """Load a checkpoint into the module and the optimizer."""
        _take_up(self.objective.network.body, self.stepper.optimizer, saved.state, saved.facts)


class _Stepper:
    """One step of the optimizer on a batch; returns the batch's loss and the gradient's norm before clipping."""

    def __init__(
        self, objective: ModuleObjective, optimizer: torch.optim.Optimizer, clip: float | None, mixed: bool
    ) -> None:
        self.objective, self.optimizer = objective, optimizer
        self.clip = clip
        self.parameters = [tensor for tensor in objective.network.body.parameters() if tensor.requires_grad]
        self.device = objective.network.device
        self.mixed = mixed and self.device == "cuda"
        self.half = torch.bfloat16 if self.mixed and torch.cuda.is_bf16_supported() else torch.float16
        self.scaler = torch.amp.GradScaler(self.device, enabled=self.mixed and self.half == torch.float16)

    def __call__(self, X: torch.Tensor, Y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        objective = self.objective
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.device, dtype=self.half, enabled=self.mixed):
            Z = objective.network.forward(X)
        loss = objective.criterion(Z.to(Y.dtype), Y)
        self.scaler.scale(loss / objective.unit).backward()  # type: ignore[no-untyped-call]
        slope = torch.tensor(torch.nan)
        if self.clip is not None or len(Y) == objective.rows:
            self.scaler.unscale_(self.optimizer)
            norms = [tensor.grad.norm() for tensor in self.parameters if tensor.grad is not None]
            slope = torch.stack(norms).norm() * objective.unit
        if self.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss.detach(), slope


def _least_rows(body: torch.nn.Module) -> int:
    """Return how many rows a batch needs: two where a layer divides by the standard deviation of the batch."""
    return 2 if any(isinstance(layer, NORMS) for layer in body.modules()) else 1


@contextmanager
def _own_randomness() -> Iterator[None]:
    """Restore the state of PyTorch's generators at the end, so that the user's random numbers are unaffected."""
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        yield


def _draw_from(seed: int) -> None:
    """Seed PyTorch's generators, without ``torch.manual_seed``, which takes a millisecond where there is no cuda."""
    seed %= LARGEST_SEED
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_available():
        torch.cuda.manual_seed_all(seed)


@contextmanager
def _threads(objective: ModuleObjective, batch_size: int | None) -> Iterator[None]:
    """Use one thread where steps are small: several would wait for one another, on a busy machine for long."""
    before, rows = torch.get_num_threads(), min(batch_size or objective.rows, objective.rows)
    if rows <= FEW_ROWS or rows * objective.network.parameters < SMALL_WORK:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _arrays(body: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Arrays:
    """Return the module's and the optimizer's tensors for a checkpoint."""
    made = {f"module.{name}": tensor for name, tensor in body.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        for name, value in state.items():
            if torch.is_tensor(value):
                made[f"optimizer.{index}.{name}"] = value
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in made.items()}


def _facts(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Return the values in an optimizer's state that are not tensors."""
    state = optimizer.state_dict()["state"]
    return {
        str(index): {name: value for name, value in found.items() if isinstance(value, (int, float, bool))}
        for index, found in state.items()
    }


def _take_up(body: torch.nn.Module, optimizer: torch.optim.Optimizer, arrays: Arrays, facts: dict[str, Any]) -> None:
    """Load a checkpoint's tensors and other values."""
    module = {
        name.removeprefix("module."): torch.from_numpy(array)
        for name, array in arrays.items()
        if name.startswith("module.")
    }
    body.load_state_dict(module)
    state: dict[int, dict[str, Any]] = {int(index): dict(found) for index, found in facts.items()}
    for name, array in arrays.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".", 2)
            state.setdefault(int(index), {})[key] = torch.from_numpy(array)
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
