"""Peers that fit logistic and softmax regression alike: scikit-learn's solvers, scikit-learn-intelex and PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.contest import DOUBLING, NEWTON, Contestant

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from descend.objectives.in_memory import RowsObjective

    Floats = NDArray[np.floating[Any]]

NEVER = 1e-14
HISTORY = 20
UNPENALISED = 1e15  # scikit-learn-intelex hands an infinite C over to scikit-learn
ADAM = 0.05


def sklearns(objective: RowsObjective, solvers: tuple[str, ...], *, intercept: bool) -> list[Contestant]:
    """Return scikit-learn's solvers, told by ``max_iter`` when to stop, and scikit-learn-intelex's.

    scikit-learn minimises C times the sum of the losses + |w|^2 / 2 without the intercept, so C is 1 / (2 rows l2).
    With ``intercept`` it fits its own, in the place of the column of ones, which it would penalise.
    """
    X = np.ascontiguousarray(objective.X[:, 1:]) if intercept else objective.X
    y = objective.Y.ravel()
    l2 = objective.penalty.strength
    C = 1 / (2 * objective.rows * l2) if l2 else np.inf

    def fit(make: Callable[..., Any], solver: str, C: float, rung: float) -> Floats:
        # tol is a bound on the gradient in the newton solvers and saga's too, where 0 would end in failing searches
        model = make(C=C, fit_intercept=intercept, solver=solver, max_iter=int(rung), tol=NEVER, random_state=0)
        model.fit(X, y)
        weights = model.coef_.T
        return (np.concatenate([model.intercept_[None, :], weights]) if intercept else weights).ravel()

    def sklearn(solver: str) -> Callable[[float], Floats]:
        def run(rung: float) -> Floats:
            from sklearn.linear_model import LogisticRegression

            return fit(LogisticRegression, solver, C, rung)

        return run

    def sklearnex(rung: float) -> Floats:
        from sklearnex.linear_model import LogisticRegression

        return fit(LogisticRegression, "lbfgs", min(C, UNPENALISED), rung)

    found = [
        Contestant(
            f"scikit-learn {solver}",
            "sklearn",
            sklearn(solver),
            NEWTON if solver.startswith("newton") else DOUBLING,
            "max_iter",
        )
        for solver in solvers
    ]
    return [*found, Contestant("scikit-learn-intelex lbfgs", "sklearnex", sklearnex, DOUBLING, "max_iter")]


def torches(objective: RowsObjective, *, adam: bool) -> list[Contestant]:
    """Return PyTorch's L-BFGS in float64 and, if asked for, a loop with Adam; each on all rows at every step."""

    def problem() -> tuple[Any, Callable[[], Any]]:
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

        X, Y = torch.from_numpy(objective.X), torch.from_numpy(objective.Y)
        W = torch.nn.Parameter(torch.zeros(objective.shape, dtype=torch.float64))
        codes = Y[:, 0].long()

        def loss() -> Any:
            logits = X @ W
            fit = cross_entropy(logits, codes) if W.shape[1] > 1 else binary_cross_entropy_with_logits(logits, Y)
            l2 = objective.penalty.strength
            return fit + l2 * W[1:].square().sum() if l2 else fit

        return W, loss

    def weights(W: Any) -> Floats:
        return W.detach().numpy().ravel()

    def lbfgs(rung: float) -> Floats:
        import torch

        W, loss = problem()
        optimizer = torch.optim.LBFGS(
            [W],
            max_iter=int(rung),
            max_eval=100 * int(rung),
            history_size=HISTORY,
            line_search_fn="strong_wolfe",
            tolerance_grad=0.0,
            tolerance_change=0.0,
        )

        def closure() -> Any:
            optimizer.zero_grad()
            value = loss()
            value.backward()
            return value

        optimizer.step(closure)
        return weights(W)

    def loop(rung: float) -> Floats:
        import torch

        W, loss = problem()
        optimizer = torch.optim.Adam([W], lr=ADAM)
        for _ in range(int(rung)):
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()
        return weights(W)

    found = [Contestant("PyTorch L-BFGS", "torch", lbfgs, DOUBLING, "max_iter")]
    return [*found, Contestant("PyTorch loop, Adam", "torch", loop, DOUBLING, "max_iter")] if adam else found
