"""A thousand epochs of gradient descent with every loss, inside a running process, beside a PyTorch loop."""

from __future__ import annotations

from time import perf_counter

import numpy as np

from benchmarks.pairs import Case, Peer
from descend.objectives.in_memory import RowsObjective
from descend.objectives.losses import SquaredError
from descend.objectives.penalties import L2
from descend.objectives.quadratic import GramObjective
from descend.objectives.rows import DesignRows
from descend.solvers.closed_form import fast_forward
from descend.solvers.optimizers import SGD

EPOCHS = 1000


def table(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    X = np.column_stack([np.ones(rows), random.normal(size=(rows, columns - 1))])
    return X, X @ random.normal(size=(columns, 1)) + random.normal(size=(rows, 1))


def ours(X: np.ndarray, Y: np.ndarray) -> float:
    started = perf_counter()
    rows = RowsObjective(DesignRows(X, Y), SquaredError(), 1, L2(0.0, np.ones(X.shape[1], dtype=bool)))
    history = fast_forward(GramObjective.of(rows), np.zeros(X.shape[1]), SGD(0.05), EPOCHS)
    assert len(history) == EPOCHS + 1
    return perf_counter() - started


def torchs(X: np.ndarray, Y: np.ndarray) -> float:
    import torch

    started = perf_counter()
    x, y = torch.tensor(X), torch.tensor(Y)
    w = torch.nn.Parameter(torch.zeros(X.shape[1], 1, dtype=torch.float64))
    optimizer = torch.optim.SGD([w], lr=0.05)
    losses = []
    for _ in range(EPOCHS):
        loss = torch.nn.functional.mse_loss(x @ w, y)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return perf_counter() - started


def case(rows: int, columns: int) -> Case:
    X, Y = table(rows, columns)
    peer = Peer("PyTorch loop", ("torch",), lambda: torchs(X, Y))
    return Case(f"{rows:,} x {columns}, {EPOCHS} epochs", lambda: ours(X, Y), (peer,))


def cases(divisor: int) -> list[Case]:
    return [case(3, 2), case(1_000, 10), case(100_000 // divisor, 10)]
