"""One epoch of softmax regression in batches of 64, with the losses of all rows taken too, beside PyTorch's loops."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.pairs import Case, Peer
from descend.objectives.in_memory import RowsObjective
from descend.objectives.losses import CrossEntropy
from descend.objectives.penalties import L2
from descend.objectives.rows import DesignRows
from descend.solvers._epochs import iterate
from descend.solvers.optimizers import SGD
from descend.solvers.schedules import ConstantSchedule

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

BATCH, CLASSES, EPOCHS = 64, 10, 3


def table(rows: int, columns: int) -> tuple[Array, Array]:
    random = np.random.default_rng(0)
    return random.random((rows, columns), dtype=np.float32), random.integers(0, CLASSES, (rows, 1)).astype(np.float32)


def ours(X: Array, Y: Array) -> float:
    """Return the seconds an epoch takes, of a run of EPOCHS with its EPOCHS + 1 looks at the loss of all rows."""
    rows = RowsObjective(DesignRows(X, Y), CrossEntropy(), CLASSES, L2(0.0, np.ones(X.shape[1], dtype=bool)))
    started = perf_counter()
    iterate(rows, np.zeros(X.shape[1] * CLASSES, np.float32), SGD(0.01), ConstantSchedule(), EPOCHS, batch_size=BATCH)
    return (perf_counter() - started) / EPOCHS


def torchs(X: Array, Y: Array, *, loader: bool) -> float:
    """Return the same for a loop over a DataLoader, or over slices of a shuffled index, with no loss of all rows."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    x, y = torch.from_numpy(X), torch.from_numpy(Y[:, 0]).long()
    module = torch.nn.Linear(X.shape[1], CLASSES)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01)
    loaded = DataLoader(TensorDataset(x, y), batch_size=BATCH, shuffle=True)

    def sliced() -> Any:
        for chosen in torch.randperm(len(x)).split(BATCH):
            yield x[chosen], y[chosen]

    started = perf_counter()
    for _ in range(EPOCHS):
        for rows, targets in loaded if loader else sliced():
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(module(rows), targets).backward()
            optimizer.step()
    return (perf_counter() - started) / EPOCHS


def cases(divisor: int) -> list[Case]:
    rows, columns = 60_000 // divisor, 784
    X, Y = table(rows, columns)
    peers = (
        Peer("PyTorch DataLoader loop", ("torch",), lambda: torchs(X, Y, loader=True)),
        Peer("PyTorch slicing loop", ("torch",), lambda: torchs(X, Y, loader=False)),
    )
    return [Case(f"{rows:,} x {columns} x {CLASSES}, batches of {BATCH}, an epoch", lambda: ours(X, Y), peers)]
