"""Losses: PyTorch is the reference, finite differences check every derivative."""

from __future__ import annotations

from pathlib import Path

import mpmath
import numpy as np
import polars as pl
import pytest
import scipy.optimize
import torch
from conftest import called

import descend
from descend.analysis.inference import Inference
from descend.base.errors import DesignError, OptionError
from descend.base.messages import codes, say
from descend.estimators import DescentRegressor
from descend.objectives.families import FAMILIES
from descend.objectives.links import sigmoid, softmax
from descend.objectives.losses import (
    LOSSES,
    AbsoluteError,
    BinaryCrossEntropy,
    CrossEntropy,
    Huber,
    SquaredError,
    SquaredLogError,
    losses_with,
    make_loss,
)
from descend.report.terminal import fit_lines

RANDOM = np.random.default_rng(0)
Z = RANDOM.normal(0, 2, (40, 3))
NUMBERS = RANDOM.normal(0, 2, (40, 3))
POSITIVE = np.abs(NUMBERS) + 0.1
CODES = RANDOM.integers(0, 3, (40, 1)).astype(float)
COUNTS = np.floor(2 * POSITIVE)
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
    (
        LOSSES["logcosh"],
        NUMBERS,
        lambda z, y: (torch.nn.functional.softplus(2 * (z - y)) - (z - y) - np.log(2)).mean(),
    ),
    (BinaryCrossEntropy(), BITS, lambda z, y: torch.nn.functional.binary_cross_entropy_with_logits(z, y)),
    (CrossEntropy(), CODES, lambda z, y: torch.nn.functional.cross_entropy(z, y[:, 0].long())),
    (
        LOSSES["poisson"],
        COUNTS,
        lambda z, y: torch.nn.functional.poisson_nll_loss(z, y) + (torch.xlogy(y, y) - y).mean(),
    ),
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


@pytest.mark.parametrize("size", [0.0, 1e-300, 1e-9, 0.3, 0.999, 1.001, 20.0, 710.0, 1e17, 1e300])
@pytest.mark.parametrize("sign", [1, -1])
def test_log_cosh_is_finite_and_right_to_the_last_digits_at_any_size(size, sign):
    loss, z, y = LOSSES["logcosh"], np.array([[sign * size]]), np.zeros((1, 1))
    with np.errstate(all="raise", under="ignore"):
        value, slope, bend = (of(z, y)[0, 0] for of in (loss.value, loss.slope, loss.curvature))
    with mpmath.workdps(700):  # more than the digits between 1 and the square of the smallest
        r = mpmath.mpf(sign * size)
        exact = mpmath.log(mpmath.cosh(r)) if size < 1000 else abs(r) - mpmath.log(2)
        secant = 1 / mpmath.cosh(r) ** 2 if size < 1000 else mpmath.mpf(0)
        assert value == pytest.approx(float(exact), rel=1e-15, abs=1e-300)
        assert slope == pytest.approx(float(mpmath.tanh(r)) if size < 1000 else sign, rel=1e-15)
        assert bend == pytest.approx(float(secant), rel=1e-13, abs=1e-300)


@pytest.mark.parametrize("scale", [0.01, 1.0, 1e4])
@pytest.mark.parametrize("l2", [0.0, 0.01])
def test_a_log_cosh_fit_is_scipys_optimum_and_its_certificate_holds(scale, l2):
    random = np.random.default_rng(5)
    x = random.normal(0, 1, 80)
    y = scale * (3 + 2 * x + random.standard_t(2, 80))
    model = descend.fit("y ~ x", {"x": x, "y": y}, loss="logcosh", l2=l2, test="none")
    size = (x - x.mean()) / x.std()

    def loss(w):
        r = w[0] + w[1] * size - y
        return np.mean(np.logaddexp(r, -r) - np.log(2)) + l2 * w[1] ** 2

    best = scipy.optimize.minimize(
        loss, [np.median(y), 0.0], method="Nelder-Mead", tol=1e-13, options={"maxiter": 4000}
    )
    assert model.history.final_loss <= best.fun * (1 + 1e-9)
    if scale <= 1:  # of errors in the thousands the curvature is next to 0, and with it what can be known
        assert model.certificate.kind == "bound"
        assert model.certificate.gap <= 1e-6 * best.fun
    early = descend.fit("y ~ x", {"x": x, "y": y}, loss="logcosh", l2=l2, test="none", epochs=40, lr=0.9)
    if early.certificate.kind == "bound":
        assert early.certificate.gap >= early.history.final_loss - best.fun - 1e-12
    forecast = descend.forecast("y ~ x", {"x": x, "y": y}, loss="logcosh", l2=l2, lr=0.9)
    assert forecast.bound.sure == pytest.approx(2 / (1.0 + 2 * l2), rel=1e-6)  # columns of deviation 1


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
    assert make_loss("auto", FAMILIES["linear"]).name == "mse"
    assert make_loss("auto", FAMILIES["logistic"]).name == "binary_cross_entropy"
    assert make_loss("auto", FAMILIES["softmax"]).name == "cross_entropy"
    for name, loss in LOSSES.items():
        for family in loss.families:
            assert make_loss(name, FAMILIES[family]) == loss
    with pytest.raises(OptionError) as wrong:
        make_loss("cross_entropy", FAMILIES["linear"])
    assert wrong.value.code == "option.loss-family"
    with pytest.raises(OptionError) as unknown:
        make_loss("hinge", FAMILIES["linear"])
    assert unknown.value.code == "option.loss"
    with pytest.raises(OptionError) as delta:
        make_loss("huber", FAMILIES["linear"], delta=0.0)
    assert delta.value.code == "option.delta"
    assert losses_with("delta") == ("huber",)
    assert losses_with("nothing") == ()
    assert make_loss("mse", FAMILIES["linear"], delta=2.0) == SquaredError()
    assert make_loss("huber", FAMILIES["linear"], delta=2.0) == Huber(2.0)


EVERY = pytest.mark.parametrize("loss", LOSSES.values(), ids=list(LOSSES))
README = Path(__file__).parents[1] / "README.md"


def rows_of(family):
    """Return a table whose target suits every loss of a family: positive numbers, whole ones of counts, or classes."""
    random = np.random.default_rng(3)
    x = random.uniform(0, 1, 60)
    classes = {"logistic": 2, "softmax": 3}.get(family)
    if classes is None:
        y = 10 + 5 * x + random.uniform(0, 4, 60)
        return {"x": x, "y": y if family == "linear" else y.round()}
    return {
        "x": x,
        "y": [f"class {code}" for code in (classes * x + random.normal(0, 0.4, 60)).round().astype(int) % classes],
    }


def codes_of(loss):
    """Return a target of forty rows and three outputs that a loss is defined for."""
    return CODES if loss.shift_invariant else BITS if loss.likelihood else POSITIVE


@EVERY
def test_every_loss_has_its_case_against_pytorch(loss):
    assert loss.name in NAMES


@EVERY
def test_every_loss_is_the_same_in_pytorch_with_the_slope_that_autograd_takes(loss):
    Y = codes_of(loss)
    z = torch.tensor(Z, requires_grad=True)
    total = loss.criterion(torch)(z, torch.tensor(Y))
    total.backward()
    share = 1 / Y.size if loss.mean else 1.0
    assert total.item() == pytest.approx(loss.value(Z, Y).sum() * share, rel=1e-13)
    np.testing.assert_allclose(z.grad.numpy(), loss.slope(Z, Y) * share, rtol=1e-12, atol=1e-15)


@EVERY
def test_the_root_of_a_curvature_is_a_root_of_it(loss):
    Y = codes_of(loss)
    expected = np.zeros((40, 3, 3))
    for a, b, bends in loss.curvatures(Z, Y):
        expected[:, a, b] = expected[:, b, a] = bends
    if not (np.linalg.eigvalsh(expected) > -1e-12).all():
        return  # not convex
    B = loss.curvature_root(Z, Y)
    first = 1 if loss.shift_invariant else 0
    np.testing.assert_allclose(np.einsum("nra,nrb->nab", B, B), expected[:, first:, first:], atol=1e-15)


@EVERY
def test_a_third_derivative_stays_under_the_second_times_its_concordance(loss):
    if loss.concordance is None:
        return
    step, Y = 1e-5, codes_of(loss)[:, :1]
    for z in np.linspace(-8, 8, 81):
        at = np.array([[z, 0.5, -0.5]] * 40) if loss.shift_invariant else np.full((40, 1), z)
        up, down = at.copy(), at.copy()
        up[:, 0] += step
        down[:, 0] -= step
        third = (loss.curvature(up, Y)[:, 0] - loss.curvature(down, Y)[:, 0]) / (2 * step)
        most = loss.concordance * loss.curvature(at, Y)[:, 0]
        assert (np.abs(third) <= most + 1e-9 * np.maximum(most, 1)).all()  # of differences, by rounding


@EVERY
def test_a_loss_says_truly_that_it_is_quadratic_even_at_zero_or_blind_to_shifts(loss):
    Y = codes_of(loss)
    squares = np.square(Z - Y) if Y.shape == Z.shape else None
    assert loss.quadratic == (squares is not None and np.allclose(loss.value(Z, Y), squares))
    shifted = loss.value(Z + 3.0, Y)
    assert loss.shift_invariant == np.allclose(shifted, loss.value(Z, Y))
    if loss.even_at_zero:
        assert np.ptp(loss.value(np.zeros_like(Z), Y)) == 0
    if loss.degree:
        large, y = 1e8 * np.abs(Z) + 1e8, np.zeros_like(Z)
        growth = loss.value(2 * large, y) / loss.value(large, y)
        np.testing.assert_allclose(growth, 2.0**loss.degree, rtol=1e-6)


@EVERY
def test_the_least_loss_of_a_constant_is_a_minimum(loss):
    Y = codes_of(loss)[:, :1]
    said = loss.constant_loss(Y)
    if said is None:
        return
    outputs = 3 if loss.shift_invariant else 1
    found = np.inf
    w = np.zeros((1, outputs)) + (Y.mean() if loss.quadratic else 0.0)
    for _ in range(2000):
        slope = loss.slope(np.broadcast_to(w, (40, outputs)), Y).mean(axis=0)
        bend = loss.curvature_limit or loss.curvature(np.broadcast_to(w, (40, outputs)), Y).mean()
        w = w - slope / bend
        found = min(found, float(loss.value(np.broadcast_to(w, (40, outputs)), Y).mean()))
    assert found == pytest.approx(said, rel=1e-9)


@EVERY
def test_every_loss_is_known_on_every_floor(loss, tmp_path, capsys):
    for lang in ("en", "ko"):
        assert loss.message in codes(lang)
        assert loss.label in codes(lang)
        assert loss.name in say("help.loss", lang)
    assert f"`{loss.name}`" in README.read_text(encoding="utf-8")
    for family in loss.families:
        table = rows_of(family)
        model = descend.fit("y ~ x", table, loss=loss.name, family=family, test="none")
        assert (model.loss, model.family) == (loss.name, family)
        assert say(loss.message, "en") in " ".join(fit_lines(model, "en"))
        assert model.certificate.kind in ("exact", "bound", "none")
        assert isinstance(model.inference, Inference) or model.inference.code in codes("ko")
        model.save(tmp_path / "m.safetensors")
        again = descend.load(tmp_path / "m.safetensors")
        assert again.loss == loss.name
        np.testing.assert_array_equal(again.predict(table), model.predict(table))
        forecast = descend.forecast("y ~ x", table, loss=loss.name, family=family)
        told = (forecast.outlook, forecast.bound)
        assert any(told) or forecast.reason in codes("ko")
        pl.DataFrame(table).write_csv(tmp_path / "t.csv")
        code, out, _ = called(capsys, "fit", tmp_path / "t.csv", "y ~ x", "--loss", loss.name, "--json")
        assert code == 0
        assert f'"loss_name": "{loss.name}"' in out
        if family == "linear":
            x = np.asarray(table["x"])[:, None]
            line = DescentRegressor(loss.name).fit(x, table["y"])
            np.testing.assert_allclose(line.predict(x), model.predict(table), rtol=1e-4)
