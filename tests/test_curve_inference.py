"""The standard errors of an equation's parameters: those of NIST, statsmodels and mpmath; and why there are none."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import statsmodels.api as sm
from curve_fixtures import NIST, nist, over
from scipy import stats
from statsmodels.tools.numdiff import approx_hess

from descend.analysis.curve_inference import Tangents, infer_curve
from descend.base.messages import Note
from descend.solvers.curve_minimum import minimise_curve

GRID = np.linspace(0.2, 4, 40)
NOISE = np.random.default_rng(0).normal(size=40)


def decay(**more):
    return {"x": GRID, "y": 3 * np.exp(-0.8 * GRID) + 0.5 + 0.1 * NOISE, **more}


def least(objective, start):
    """Return the parameters of least squares by Gauss-Newton's steps, and that they are at the minimum."""
    w = np.array(start, dtype=float)
    for _ in range(50):
        _, slope, curvature = objective.gauss_newton(w)
        w -= np.linalg.solve(curvature, slope)
    assert np.abs(objective.gradient(w)).max() < 1e-10
    return w


# ---------------------------------------------------------------- least squares


@pytest.mark.parametrize("name", [name for name in NIST if name != "Lanczos1"])  # whose residuals are rounding
def test_standard_errors_of_a_curve_are_the_certified_ones_to_eight_digits(name):
    objective, w, deviations = nist(name)
    found = infer_curve(objective, w, arrived=True)
    np.testing.assert_allclose(found.errors.ravel(), deviations, rtol=1e-8)
    assert found.freedom == NIST[name]["degrees_of_freedom"]
    assert found.variances[0] ** 0.5 == pytest.approx(NIST[name]["residual_deviation"], rel=1e-9)


def test_where_the_residuals_are_rounding_the_errors_are_so_beside_the_parameters():
    objective, w, _ = nist("Lanczos1")
    found = infer_curve(objective, w, arrived=True)
    assert (found.errors.ravel() < 1e-7 * np.abs(w)).all()


def misra():
    """Return all of Misra1a by mpmath: the parameters, their covariance, and the derivative at 300."""
    case = NIST["Misra1a"]
    x, y = ([mpmath.mpf(str(value)) for value in case["columns"][name]] for name in "xy")
    with mpmath.workdps(40):

        def slope(b1, b2):
            errors = [b1 * (1 - mpmath.exp(-b2 * at)) - seen for at, seen in zip(x, y, strict=True)]
            return [
                mpmath.fsum(e * (1 - mpmath.exp(-b2 * at)) for e, at in zip(errors, x, strict=True)),
                mpmath.fsum(e * b1 * at * mpmath.exp(-b2 * at) for e, at in zip(errors, x, strict=True)),
            ]

        b1, b2 = mpmath.findroot(slope, [mpmath.mpf(str(value)) for value in case["certified"]])
        J = mpmath.matrix([[1 - mpmath.exp(-b2 * at), b1 * at * mpmath.exp(-b2 * at)] for at in x])
        errors = mpmath.matrix([b1 * (1 - mpmath.exp(-b2 * at)) - seen for at, seen in zip(x, y, strict=True)])
        variance = mpmath.fsum(e**2 for e in errors) / (len(x) - 2)
        new = mpmath.matrix([[1 - mpmath.exp(-b2 * 300), b1 * 300 * mpmath.exp(-b2 * 300)]])
        spread = mpmath.sqrt((new * (variance * (J.T * J) ** -1) * new.T)[0])
        return (b1, b2), b1 * (1 - mpmath.exp(-b2 * 300)), spread, variance


def test_intervals_and_bands_of_a_curve_are_those_of_the_delta_method():
    objective, _, _ = nist("Misra1a")
    (b1, b2), middle, spread, variance = misra()
    w = np.array([float(b1), float(b2)])
    found = infer_curve(objective, w, arrived=True)
    new = over("y = b1 * (1 - exp(-b2 * x))", {"x": [300.0], "y": [0.0]})
    Z, J = new.linearised(w)
    scores = J @ found.root
    t = stats.t.ppf(0.95, 12)
    for (low, high), wide in (
        (found.mean_interval(Z, scores, 0.9), spread),
        (found.row_interval(Z, scores, 0.9), mpmath.sqrt(spread**2 + variance)),
    ):
        assert low.item() == pytest.approx(float(middle - t * wide), rel=1e-10)
        assert high.item() == pytest.approx(float(middle + t * wide), rel=1e-10)


def test_a_linear_equation_as_a_curve_has_the_errors_of_least_squares_by_statsmodels():
    table = decay(z=np.cos(5 * GRID))
    ours = over("y = a*b + (a - b)*x + (a + b + c)*z", table)
    X = np.column_stack([np.ones(40), table["x"], table["z"]])
    fitted = sm.OLS(table["y"], X).fit()
    # a*b, a - b and a + b + c are any three numbers: the same three at the same minimum
    b = (-fitted.params[1] + np.sqrt(fitted.params[1] ** 2 + 4 * fitted.params[0])) / 2
    a = b + fitted.params[1]
    w = np.array([a, b, fitted.params[2] - a - b])
    root = infer_curve(ours, w, arrived=True).root
    _, J = ours.linearised(w)
    mean = fitted.get_prediction(X).se_mean
    np.testing.assert_allclose(np.sqrt(np.square(J[:, 0] @ root).sum(axis=1)), mean, rtol=1e-9)


def test_equations_without_shared_parameters_have_each_their_own_errors():
    table = decay(z=100 * (1 - np.exp(-0.5 * GRID)) + 2 * NOISE[::-1])
    both = over("y = a*exp(-b*x) + c; z = d*(1 - exp(-k*x))", table)
    one, other = over("y = a*exp(-b*x) + c", table), over("z = d*(1 - exp(-k*x))", table)
    first, second = least(one, [3, 0.8, 0.5]), least(other, [100, 0.5])
    found = infer_curve(both, np.concatenate([first, second]), arrived=True)
    alone = [infer_curve(one, first, arrived=True), infer_curve(other, second, arrived=True)]
    np.testing.assert_allclose(found.errors, np.concatenate([each.errors for each in alone]), rtol=1e-9)
    np.testing.assert_allclose(found.variances, np.concatenate([each.variances for each in alone]), rtol=1e-9)
    assert found.freedom == min(each.freedom for each in alone)
    Z, J = both.linearised(np.concatenate([first, second]))
    for output, (objective, w, each) in enumerate(zip((one, other), (first, second), alone, strict=True)):
        expected = each.row_interval(objective.predictor(w), objective.linearised(w)[1] @ each.root, 0.95)
        ours = found.row_interval(Z, J @ found.root, 0.95)
        if each.freedom == found.freedom:
            np.testing.assert_allclose([end[:, output] for end in ours], [end[:, 0] for end in expected], rtol=1e-9)


def test_shared_parameters_have_the_errors_that_uneven_variances_give_them():
    table = decay(z=0.8 * GRID + 30 * NOISE[::-1])
    both = over("y = a*exp(-b*x) + c; z = b*x", table)
    w = least(both, [3, 0.8, 0.5])
    found = infer_curve(both, w, arrived=True)
    Z, J = both.linearised(w)
    inverse = np.linalg.inv(np.einsum("iap,iaq->pq", J, J))
    taken = [np.einsum("ip,pq,iq->", J[:, output], inverse, J[:, output]) for output in (0, 1)]
    squares = np.square(Z - both.Y).sum(axis=0) / (40 - np.array(taken))
    middle = sum(square * J[:, output].T @ J[:, output] for output, square in enumerate(squares))
    expected = np.sqrt(np.diag(inverse @ middle @ inverse))
    np.testing.assert_allclose(found.errors.ravel(), expected, rtol=1e-8)


def test_a_row_of_weight_three_is_three_rows():
    table = decay()
    weight = np.where(np.arange(40) % 2, 3.0, 1.0)[:, None]
    tripled = {name: np.repeat(values, weight.ravel().astype(int)) for name, values in table.items()}
    once, thrice = over("y = a*exp(-b*x) + c", table, weight=weight), over("y = a*exp(-b*x) + c", tripled)
    ours, theirs = (Tangents.of(objective, np.array([3, 0.8, 0.5])) for objective in (once, thrice))
    np.testing.assert_allclose(ours.root @ ours.root.T, theirs.root @ theirs.root.T, rtol=1e-9)


def test_the_factor_of_many_rows_is_that_of_all_at_once():
    x = np.linspace(0, 5, 300_000)
    objective = over("y = a*exp(-b*x) + c", {"x": x, "y": np.exp(-x)})
    w = np.array([1.0, 1.0, 0.1])
    _, J = objective.linearised(w)
    root = Tangents.of(objective, w).root
    np.testing.assert_allclose(root @ root.T, np.linalg.inv(J[:, 0].T @ J[:, 0]), rtol=1e-10)


# ---------------------------------------------------------------- likelihoods


def test_a_probability_has_the_errors_of_maximum_likelihood():
    y = (NOISE + GRID > 2).astype(float)
    objective = over("P(y) = sigmoid(k*(x - m))", {"x": GRID, "y": y}, family="logistic")
    fitted = sm.Logit(y, sm.add_constant(GRID)).fit(disp=0, tol=1e-14, maxiter=100)
    k, m = fitted.params[1], -fitted.params[0] / fitted.params[1]
    found = infer_curve(objective, np.array([k, m]), arrived=True)
    slope = np.array([[0, 1], [-1 / k, fitted.params[0] / k**2]])
    expected = np.sqrt(np.diag(slope @ fitted.cov_params() @ slope.T))
    assert found.freedom is None
    np.testing.assert_allclose(found.errors.ravel(), expected, rtol=1e-7)


# ---------------------------------------------------------------- where there are none


def test_a_parameter_at_a_bound_is_taken_as_known():
    objective, held = over("y = a*exp(-b*x) + c", decay()), over("y = a*exp(-b*x) + 0.6", decay())
    first = least(held, [3, 0.8])
    found = infer_curve(objective, np.array([*first, 0.6]), at_bound=["c"], arrived=True)
    alone = infer_curve(held, first, arrived=True)
    np.testing.assert_allclose(found.errors[:2], alone.errors, rtol=1e-9)
    assert np.isnan(found.errors[2]).all()
    assert not found.root[2].any()
    assert found.freedom == alone.freedom == 38


def test_parameters_that_the_rows_do_not_determine_have_no_errors_and_the_others_have_theirs():
    objective, alone = over("y = a*b*exp(-c*x) + d", decay()), over("y = a*exp(-c*x) + d", decay())
    w = least(alone, [3, 0.8, 0.5])
    found = infer_curve(objective, np.array([w[0] / 2, 2, w[1], w[2]]), arrived=True)
    single = infer_curve(alone, w, arrived=True)
    assert np.isnan(found.errors[:2]).all()
    np.testing.assert_allclose(found.errors[2:], single.errors[1:], rtol=1e-8)
    _, J = objective.linearised(np.array([w[0] / 2, 2, w[1], w[2]]))
    ours = found.spread(J @ found.root)
    theirs = single.spread(alone.linearised(w)[1] @ single.root)
    np.testing.assert_allclose(ours, theirs, rtol=1e-8)  # the predictions are as sure as ever


@pytest.mark.parametrize(
    ("equation", "settings", "arrived", "code"),
    [
        ("y = a*exp(-b*x)", {}, False, "inference.not-optimum"),
        ("y = a*exp(-b*x)", {"l2": 0.1}, True, "inference.penalised"),
        ("y = a*exp(-b*x)", {"loss": "mae"}, True, "inference.loss"),
        ("y = a*exp(-b*x) + c", {"rows": 3}, True, "inference.no-freedom"),
    ],
)
def test_the_reason_why_there_are_no_errors_is_said(equation, settings, arrived, code):
    rows = settings.pop("rows", 40)
    table = {name: values[:rows] for name, values in decay().items()}
    objective = over(equation, table, **settings)
    found = infer_curve(objective, np.full(objective.shape[0], 0.5), arrived=arrived)
    assert isinstance(found, Note)
    assert found.code == code
    assert found.tell()
    assert found.tell("ko")


def test_the_information_of_a_likelihood_is_the_observed_one():
    counts = np.random.default_rng(4).poisson(np.exp(0.5 + 2 * np.exp(-0.7 * GRID))).astype(float)
    objective = over("y = a + b*exp(-k*x)", {"x": GRID, "y": counts}, family="poisson")  # of the mean's logarithm
    w = minimise_curve(objective, np.array([0.5, 2, 0.7]))[0].weights

    def minus(w):
        z = w[0] + w[1] * np.exp(-w[2] * GRID)
        return (np.exp(z) - counts * z).sum()

    expected = np.sqrt(np.diag(np.linalg.inv(approx_hess(w, minus))))
    found = infer_curve(objective, w, arrived=True)
    np.testing.assert_allclose(found.errors.ravel(), expected, rtol=1e-5)
    J = np.column_stack([np.ones(40), np.exp(-w[2] * GRID), -w[1] * GRID * np.exp(-w[2] * GRID)])
    mean = np.exp(w[0] + w[1] * np.exp(-w[2] * GRID))
    other = np.sqrt(np.diag(np.linalg.inv(J.T @ (J * mean[:, None]))))
    assert np.abs(found.errors.ravel() / other - 1).max() > 0.01  # the expected information gives others
