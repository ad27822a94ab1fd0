"""Losses: PyTorch is the reference, finite differences check every derivative."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import torch

from descend.base.errors import DesignError, OptionError
from descend.objectives.links import sigmoid, softmax
from descend.objectives.losses import (
    BY_FAMILY,
    AbsoluteError,
    BinaryCrossEntropy,
    CrossEntropy,
    Huber,
    SquaredError,
    SquaredLogError,
    make_loss,
)

RANDOM = np.random.default_rng(0)
Z = RANDOM.normal(0, 2, (40, 3))
NUMBERS = RANDOM.normal(0, 2, (40, 3))
POSITIVE = np.abs(NUMBERS) + 0.1
CODES = RANDOM.integers(0, 3, (40, 1)).astype(float)
BITS = RANDOM.integers(0, 2, (40, 3)).astype(float)

CASES = [
    (SquaredError(), NUMBERS, lambda z, y: torch.nn.functional.mse_loss(z, y)),
    (
        SquaredError("sse", mean=False),
        NUMBERS,
        lambda z, y: torch.nn.functional.mse_loss(z, y, reduction="sum"),
    ),
    (AbsoluteError(), NUMBERS, lambda z, y: torch.nn.functional.l1_loss(z, y)),
    (AbsoluteError("mape", relative=True), POSITIVE, lambda z, y: ((z - y).abs() / y.abs()).mean()),
    (Huber(0.7), NUMBERS, lambda z, y: torch.nn.functional.huber_loss(z, y, delta=0.7)),
    (
        SquaredLogError(),
        POSITIVE,
        lambda z, y: torch.nn.functional.mse_loss(torch.log1p(z.clamp(min=0)), torch.log1p(y)),
    ),
    (BinaryCrossEntropy(), BITS, lambda z, y: torch.nn.functional.binary_cross_entropy_with_logits(z, y)),
    (CrossEntropy(), CODES, lambda z, y: torch.nn.functional.cross_entropy(z, y[:, 0].long())),
]
NAMES = [case[0].name for case in CASES]


@pytest.mark.parametrize(("loss", "Y", "reference"), CASES, ids=NAMES)
def test_value_and_slope_equal_pytorch(loss, Y, reference):
    z = torch.tensor(Z, requires_grad=True)
    expected = reference(z, torch.tensor(Y))
    expected.backward()
    share = 1 / Y.size if loss.mean else 1.0
    assert loss.value(Z, Y).sum() * share == pytest.approx(expected.item(), rel=1e-13)
    np.testing.assert_allclose(loss.slope(Z, Y) * share, z.grad.numpy(), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("loss", "Y", "reference"), CASES, ids=NAMES)
def test_curvature_is_the_derivative_of_the_slope(loss, Y, reference):
    step = 1e-6
    for output in range(3):
        up, down = Z.copy(), Z.copy()
        up[:, output] += step
        down[:, output] -= step
        expected = (loss.slope(up, Y)[:, output] - loss.slope(down, Y)[:, output]) / (2 * step)
        np.testing.assert_allclose(loss.curvature(Z, Y)[:, output], expected, atol=1e-6)


@pytest.mark.parametrize(("loss", "Y", "reference"), CASES, ids=NAMES)
def test_curvature_stays_under_its_limit(loss, Y, reference):
    if loss.curvature_limit is not None:
        assert (loss.curvature(Z, Y) <= loss.curvature_limit + 1e-15).all()


@pytest.mark.parametrize("size", [1e4, -1e4, 745.2, -745.2, 0.0])
def test_cross_entropies_are_finite_and_right_at_extreme_logits(size):
    z = np.array([[size]])
    with np.errstate(all="raise", under="ignore"):
        ones = BinaryCrossEntropy().value(z, np.ones((1, 1)))[0, 0]
        slope = BinaryCrossEntropy().slope(z, np.ones((1, 1)))[0, 0]
        three = CrossEntropy().value(np.array([[size, 0.0, 0.0]]), np.zeros((1, 1)))[0, 0]
    assert ones == pytest.approx(np.logaddexp(0, -size), rel=1e-15)
    assert slope == pytest.approx(-1 / (1 + np.exp(min(size, 700))), abs=1e-15)
    assert three == pytest.approx(np.logaddexp.reduce([size, 0.0, 0.0]) - size, rel=1e-12)


@pytest.mark.parametrize("spread", [1e-9, 1.0, 40.0, 1e4])
@pytest.mark.parametrize("rows", [1, 15, 16, 1003])
def test_what_a_logistic_loss_gives_at_once_is_right_to_the_last_digits(spread, rows):
    random = np.random.default_rng(rows)
    z, y = random.normal(0, spread, (rows, 1)), random.integers(0, 2, (rows, 1)).astype(float)
    if spread == 40.0:
        z = np.abs(z) * (2 * y - 1)  # all on the right side: nothing but small losses, which must not be rounded away
    with np.errstate(all="raise", under="ignore"):
        total, slope, bend = BinaryCrossEntropy().expansion(z, y)
    with mpmath.workdps(60):
        worse = [(1 - 2 * int(bit)) * mpmath.mpf(number) for number, bit in zip(z[:, 0], y[:, 0], strict=True)]
        exact = [mpmath.log1p(mpmath.exp(one)) for one in worse]
        slopes = [(1 - 2 * int(bit)) / (1 + mpmath.exp(-one)) for one, bit in zip(worse, y[:, 0], strict=True)]
        assert total == pytest.approx(float(sum(exact)), rel=1e-14)
        np.testing.assert_allclose(slope[:, 0], [float(one) for one in slopes], rtol=1e-15, atol=1e-300)
        bends = [float(abs(one) * (1 - abs(one))) for one in slopes]
    np.testing.assert_allclose(bend[:, 0], bends, rtol=1e-14, atol=1e-16)
    np.testing.assert_array_equal(BinaryCrossEntropy().total_and_slope(z, y)[1], slope)


def test_sigmoid_and_softmax_are_probabilities_at_any_size():
    z = np.array([-1e308, -1e4, -1.0, 0.0, 1.0, 1e4, 1e308])
    with np.errstate(all="raise", under="ignore"):
        p = sigmoid(z)
    assert ((p >= 0) & (p <= 1)).all()
    np.testing.assert_allclose(p + sigmoid(-z), 1)
    rows = softmax(np.array([[1e4, -1e4, 0.0], [0.0, 0.0, 0.0]]))
    np.testing.assert_allclose(rows, [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]])


def test_a_rounded_corner_is_never_further_off_than_its_rounding():
    sharp, round_ = AbsoluteError(), AbsoluteError().rounded(0.01)
    gap = sharp.value(Z, NUMBERS) - round_.value(Z, NUMBERS)
    assert (gap >= -1e-15).all()
    assert (gap <= 0.01).all()


def test_losses_keep_float32():
    for loss, Y, _ in CASES:
        assert loss.slope(Z.astype(np.float32), Y.astype(np.float32)).dtype == np.float32, loss.name


def test_a_target_that_the_loss_is_not_defined_for_is_an_error_with_its_column():
    with pytest.raises(DesignError) as zero:
        AbsoluteError("mape", relative=True).check(np.array([[1.0], [0.0]]), "price")
    assert (zero.value.code, zero.value.column) == ("design.zero-target", "price")
    with pytest.raises(DesignError) as negative:
        SquaredLogError().check(np.array([[-0.5]]), "price")
    assert negative.value.code == "design.negative-target"


def test_names_make_losses_and_families_keep_to_their_own():
    assert make_loss("auto", "linear").name == "mse"
    assert make_loss("auto", "logistic").name == "binary_cross_entropy"
    assert make_loss("auto", "softmax").name == "cross_entropy"
    for family, names in BY_FAMILY.items():
        for name in names:
            assert make_loss(name, family).name == name
    with pytest.raises(OptionError) as wrong:
        make_loss("cross_entropy", "linear")
    assert wrong.value.code == "option.loss-family"
    with pytest.raises(OptionError) as unknown:
        make_loss("hinge", "linear")
    assert unknown.value.code == "option.loss"
    with pytest.raises(OptionError) as delta:
        make_loss("huber", "linear", delta=0.0)
    assert delta.value.code == "option.delta"
