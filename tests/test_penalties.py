"""Penalties: finite differences and the largest eigenvalue of the Hessian are the reference."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from descend.objectives.penalties import L2, PENALTIES

COUNTS = np.array([0.0, 1.0, 25.0, 0.04])
W = np.random.default_rng(0).normal(0, 2, (4, 3))
EVERY = pytest.mark.parametrize("kind", PENALTIES.values(), ids=list(PENALTIES))


@EVERY
def test_a_gradient_is_the_derivative_of_the_value(kind):
    penalty, step = kind(0.3, COUNTS), 1e-6
    for place in np.ndindex(W.shape):
        up, down = W.copy(), W.copy()
        up[place] += step
        down[place] -= step
        slope = (penalty.value(up) - penalty.value(down)) / (2 * step)
        assert penalty.gradient(W)[place] == pytest.approx(slope, abs=1e-7)


@EVERY
def test_curvatures_are_the_derivative_of_the_gradient(kind):
    penalty, step = kind(0.3, COUNTS), 1e-4
    for column in range(4):
        up = W.copy()
        up[column] += step
        bend = (penalty.gradient(up) - penalty.gradient(W))[column] / step
        np.testing.assert_allclose(bend, penalty.curvatures[column], rtol=1e-8)
    assert penalty.curvature_limit == penalty.curvatures.max()


@EVERY
def test_a_penalty_of_no_strength_adds_nothing_even_to_what_overflows(kind):
    penalty = kind(0.3, COUNTS).scaled(0.0)
    assert not penalty.active
    assert penalty.value(np.full((4, 3), np.inf)) == 0.0
    assert penalty.curvature_limit == 0.0
    assert penalty.free.all()
    assert penalty.even


@EVERY
def test_a_penalty_leaves_alone_the_columns_that_count_for_nothing(kind):
    penalty = kind(0.3, COUNTS)
    assert penalty.free.tolist() == [True, False, False, False]
    far = W.copy()
    far[0] = 1e300
    assert penalty.value(far) == penalty.value(W)
    assert not penalty.gradient(far)[0].any()
    assert penalty.counting(COUNTS[::-1]).value(W[::-1]) == pytest.approx(penalty.value(W))
    assert not penalty.even
    assert kind(0.3, np.array([0.0, 1.0, 1.0])).even


@EVERY
def test_a_value_that_overflows_is_infinite_without_a_warning(kind):
    with np.errstate(all="raise", under="ignore"):
        assert kind(1.0, COUNTS).value(np.full((4, 3), 1e200)) == np.inf


def test_l2_is_pytorchs_weight_decay_at_twice_its_strength():
    w = torch.tensor(W, requires_grad=True)
    torch.optim.SGD([w], lr=1.0, weight_decay=2 * 0.3).zero_grad()
    w.grad = torch.zeros_like(w)
    torch.optim.SGD([w], lr=1.0, weight_decay=2 * 0.3).step()
    np.testing.assert_allclose(W - w.detach().numpy(), L2(0.3, np.ones(4)).gradient(W), rtol=1e-12)
