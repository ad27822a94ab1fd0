"""What the studio draws of a run, without a browser: every number against the table, the model or the loss itself."""

from __future__ import annotations

import base64
from dataclasses import replace

import mpmath
import numpy as np
import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import descend
from descend.analysis.verification import Verification, split_rows
from descend.base.errors import DivergedError, FormulaError
from descend.fitting.problem import Problem
from descend.formula.parser import parse
from descend.formula.roles import retargeted, roles, toggled
from descend.model.inputs import kept_columns
from descend.objectives import compressed
from descend.objectives.in_memory import RowsObjective
from descend.objectives.losses import SquaredError
from descend.objectives.penalties import L2
from descend.objectives.quadratic import GramObjective
from descend.objectives.rows import DesignRows
from descend.solvers.rates import best_rate, largest_stable_rate
from descend.solvers.recipe import Recipe
from descend.studio.charts import _span, growing_picture, path_picture
from descend.studio.data_chart import COMPARED, REGIONS, data_picture, ways
from descend.studio.live_run import Slide, slides
from descend.studio.plane import plane_of, surface
from descend.studio.runs import MOST, Run, Runs, run_of
from descend.studio.scene import Scene
from descend.studio.short_numbers import short
from descend.studio.view import LossCurve, view_of
from descend.studio.worker.session import Bench
from descend.studio.zones import zones_foretold, zones_of

SGD = {"optimizer": "sgd", "lr": 0.1, "epochs": 40}
HUGE = np.finfo(np.float64).max


@pytest.fixture
def stated(tmp_path):
    """State a hypothesis on a table, as the studio's bench does."""

    def prepare(table, formula, **given):
        path = tmp_path / "table.parquet"
        pl.DataFrame(table).write_parquet(path)
        bench = Bench(10**6)
        bench.open(str(path))
        return bench.prepare(formula, given)

    return prepare


@pytest.fixture
def slid(stated):
    """The run of a recipe as the sliders tell it."""

    def view(table, formula, **given):
        prepared = stated(table, formula, **given)
        assert slides(prepared, Recipe(**given))
        return Slide(prepared).view(Recipe(**given))

    return view


def scene_of(view, way="", chosen=None):
    return Scene.of(view, way, chosen, "en")


def fitted(table, formula, **given):
    """Fit, also what diverges."""
    try:
        return descend.fit(formula, table, **given)
    except DivergedError as error:
        return error.model


def near(found, wanted, rtol=1e-9, scale=0.0):
    """Check numbers against others, to a share of the largest (or of a larger ``scale``)."""
    wanted = np.asarray(wanted)
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=rtol * max(np.abs(wanted).max(initial=0), scale))


# the rows squeezed into as few as there are columns


def objectives(draw):
    rows, columns, targets = (draw(st.integers(1, most)) for most in (40, 6, 3))
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    X, Y = random.standard_normal((rows, columns)), random.standard_normal((rows, targets))
    X *= 10.0 ** random.integers(-2, 3, columns)
    if draw(st.booleans()) and columns > 1:
        X[:, -1] = 2 * X[:, 0]
    X[:, 0] = 1.0
    penalised = np.arange(columns) > 0
    made = RowsObjective(
        DesignRows(X, Y), SquaredError(draw(st.booleans())), targets, L2(draw(st.sampled_from([0, 0.3])), penalised)
    )
    return made.weighted(random.integers(1, 5, rows)) if draw(st.booleans()) else made


def every_curvature(quadratic, columns):
    """Return the curvatures of all directions, those beyond the span of fewer rows among them."""
    return np.sort(np.append(quadratic.curvatures, np.full(columns - quadratic.curvatures.size, quadratic.beyond)))


@pytest.mark.parametrize("factored", [compressed.FACTORED, 0], ids=["by triangles", "by moments"])
@settings(max_examples=40)
@given(data=st.data())
def test_squeezed_rows_have_the_loss_of_all_the_rows_everywhere(factored, data):
    whole = objectives(data.draw)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(compressed, "FACTORED", factored)
        few = compressed.squeeze(whole)
    assert few.rows <= sum(whole.shape)
    random = np.random.default_rng(0)
    for w in random.standard_normal((3, whole.shape[0] * whole.outputs)):
        (value, gradient), (wanted, slope) = few.value_and_gradient(w), whole.value_and_gradient(w)
        assert value == pytest.approx(wanted, rel=1e-9)
        near(gradient, slope)
    near(few.hessian(w), whole.hessian(w))
    mine, full = GramObjective.of(few), GramObjective.of(whole)
    near(*(every_curvature(one, whole.shape[0]) for one in (mine, full)), 1e-8)
    # the least curvature has as many digits as the largest leaves it, and the minimum may lie far away along it
    counting = full.curvatures[full.curvatures > 0]
    digits = np.finfo(np.float64).eps * counting[-1] / counting[0] if counting.size else 0.0
    assert mine.value(w) == pytest.approx(full.value(w), rel=1e-8 + digits)


# the run as the sliders tell it

TABLES = {
    "plain": ("y ~ a + b", {}),
    "momentum": ("y ~ a + b + group", {"momentum": 0.7}),
    "nesterov": ("y ~ a + b + group", {"momentum": 0.6, "nesterov": True, "lr": 0.05}),
    "l2": ("y ~ a + group", {"l2": 0.2}),
    "sum": ("y ~ a + b", {"loss": "sse", "lr": 0.004}),
    "raw": ("y ~ a + b", {"standardize": False, "lr": 0.001}),
    "auto": ("y ~ a + b", {"lr": "auto"}),
    "random": ("y ~ a", {"init": "normal", "seed": 3}),
    "two targets": ("y + c ~ a + b", {}),
    "curve": ("y ~ poly(a, 3) + group", {}),
    "products": ("y ~ a*group", {}),
    "log": ("log(c) ~ a + group", {}),
    "no constant": ("y ~ 0 + a + b", {}),
    "long": ("y ~ a + b", {"epochs": 10**6, "lr": 1e-5}),
    "odd": ("y ~ a + b", {"epochs": 907}),
    "overflows": ("y ~ a", {"lr": 10.0, "epochs": 500}),
    "grows": ("y ~ a", {"lr": 1.5, "epochs": 20}),
    "overflows by momentum": ("y ~ a + b", {"lr": 9.0, "momentum": 0.5, "epochs": 10**6}),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", TABLES)
def test_a_slide_is_the_run_that_fit_makes(slid, noisy, case):
    formula, more = TABLES[case]
    given = {**SGD, **more}
    view, model = slid(noisy, formula, **given), fitted(noisy, formula, **given)
    history = model.history
    assert (view.lr, view.diverged, view.last) == (pytest.approx(history.lr), history.diverged, history.epochs)
    assert view.end == view.last
    for epoch in {0, 1, view.last // 3, view.last - 1, view.last}:
        if not history.diverged or epoch < view.last:
            near(view.weights(epoch), model.at(epoch).weights, 1e-8, np.abs(view.goal).max())
        assert view.losses(epoch)[0] == pytest.approx(history.at(epoch), rel=1e-7)
    at = np.searchsorted(history.epoch, view.curve.epoch)
    np.testing.assert_allclose(view.curve.fitted, history.loss[at], rtol=1e-7)
    assert view.path_epoch[-1] == view.last
    assert set(range(min(41, view.last))) <= set(view.path_epoch.tolist())
    for place in (0, 1, len(view.path) // 2, -1):
        near(view.path[place], view.weights(int(view.path_epoch[place])).ravel())


@pytest.mark.parametrize("case", ["plain", "sum", "two targets", "log", "odd"])
def test_the_unseen_loss_is_that_of_the_rows_held_out_and_a_sum_for_as_many_as_were_fitted(slid, noisy, case):
    formula, more = TABLES[case]
    recipe = Recipe(**SGD | more)
    view = slid(noisy, formula, **SGD | more)
    problem = Problem.of(formula, noisy, recipe)
    split = split_rows(120, recipe.test, recipe.seed)
    objective = problem.objective(split.folds[0][1], recipe, learn_from=split.train)[1]
    times = 96 / 24 if case == "sum" else 1
    for epoch in (0, 7, view.last):
        assert view.losses(epoch)[1] == pytest.approx(times * objective.value(view.weights(epoch).ravel()), rel=1e-9)
    assert view.curve.unseen[-1] == pytest.approx(view.losses(view.last)[1], rel=1e-9)


def test_without_rows_held_out_nothing_is_told_of_unseen_ones(slid):
    view = slid({"hours": [1, 2, 3], "score": [20, 40, 60]}, "score ~ hours", **SGD)
    assert view.losses(3)[1] is None
    assert view.curve.unseen.size == 0
    assert "unseen" not in scene_of(view).moment(3)


def test_the_forecast_of_a_slide_is_that_of_the_bench(stated, noisy):
    for more in ({}, {"momentum": 0.6}, {"lr": 5.0}, {"l2": 0.3, "init": "normal"}):
        given = SGD | more
        prepared = stated(noisy, "y ~ a + b", **given)
        mine = Slide(prepared).forecast(Recipe(**given))
        wanted = prepared.forecast
        assert (mine.outlook.verdict, mine.outlook.reach) == (wanted.outlook.verdict, wanted.outlook.reach)
        assert [rate.best for rate in mine.rates] == pytest.approx([rate.best for rate in wanted.rates])


# the run as a fitted model tells it

MODELS = {
    "logistic": ("passed ~ a + b", SGD),
    "softmax": ("group ~ a + b", SGD),
    "batches": ("y ~ a + b", SGD | {"batch_size": 16}),
    "adam": ("y ~ a + b", {"optimizer": "adam", "epochs": 1500}),
    "auto": ("y ~ a + b", {}),
    "auto, ill-conditioned": ("y ~ poly(c, 5, raw=True) + b", {"standardize": False}),
    "auto, classes": ("passed ~ a", {}),
    "absolute": ("y ~ a", {"loss": "mae"}),
    "diverged": ("y ~ a + b", SGD | {"lr": 10.0, "epochs": 2000, "batch_size": 16}),
    "diverged, over all rows": ("y ~ a", SGD | {"lr": 10.0, "epochs": 700, "dtype": "float32"}),
    "early": ("y ~ a + b + c", SGD | {"lr": 0.3, "patience": 3, "epochs": 900}),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", MODELS)
def test_a_models_run_is_told_at_the_epochs_that_were_kept(noisy, case):
    formula, given = MODELS[case]
    model = fitted(noisy, formula, **given)
    view, history = view_of(model), model.history
    assert view.nearest(view.end) == view.end
    np.testing.assert_array_equal(view.weights(view.end), model.weights)
    known = dict(zip(history.epoch.tolist(), history.loss.tolist(), strict=True))
    for epoch in {0, view.nearest(view.last // 2), view.nearest(view.last)} - {view.end}:
        place = history.snapshot_epoch.tolist().index(epoch)
        np.testing.assert_array_equal(view.weights(epoch).ravel(), history.snapshots[place])
        assert view.losses(epoch)[0] == known[epoch]
    assert np.isfinite(view.path).all()
    assert (np.diff(view.path_epoch) > 0).all()
    if not model.history.diverged:
        assert view.losses(view.end)[0] == pytest.approx(history.final_loss, rel=1e-9)
    orjson.dumps(strict(everything(view)))


def test_a_run_that_went_back_to_its_best_is_shown_there(noisy):
    formula, given = MODELS["early"]
    model = descend.fit(formula, noisy, **given)
    view, held = view_of(model), model.history.validation_loss
    assert model.history.stop == "early"
    assert view.end == np.argmin(held) < view.last
    assert view.losses(view.end) == (model.history.final_loss, held.min())


def test_a_solution_without_a_way_is_one_step(noisy):
    table = {"x": np.arange(60.0), "y": np.sin(np.arange(60.0))}
    model = descend.fit("y ~ poly(x, 9, raw=True)", table, standardize=False)
    assert model.history.stop == "solved"
    view = view_of(model)
    assert (view.last, view.path_epoch.tolist()) == (1, [0, 1])
    np.testing.assert_array_equal(view.weights(1), model.weights)
    assert view.losses(1)[0] == model.history.final_loss
    orjson.dumps(strict(everything(view)))


def test_the_unseen_loss_of_a_model_is_that_of_its_test(noisy):
    model = descend.fit("passed ~ a + b", noisy, **SGD)
    view = view_of(model)
    tested = model.verification.scores[0]["hypothesis"]["log_loss"]
    assert view.losses(view.end)[1] == pytest.approx(tested, rel=1e-9)


def test_a_network_is_shown_too(noisy):
    pytest.importorskip("torch")
    model = descend.fit("passed ~ a + b", noisy, hypothesis="mlp(4)", epochs=6)
    view = view_of(model)
    scene = scene_of(view)
    assert not view.hypothesis.linear
    assert len(scene.plane.names) == 2
    at_end = everything(view)["moment"]
    matrix = model.design.matrix(view.rows.columns)
    near(view.predict(view.end, matrix), model.predict(model.sample.frame, probabilities=True))
    assert at_end["equation"] == "a network: its parameters are no equation"
    goal = scene.plane.project(view.goal[None])[0]
    for value, (low, high) in zip(goal, scene.plane.window, strict=True):
        assert low <= value <= high


# the data, and what the hypothesis says of them


def rows_with(model, **given):
    """Rows of which only some columns are given: of the others the means and the commonest levels of what was kept."""
    frame = model.sample.frame
    count = max(np.size(value) for value in given.values())
    held = {}
    for name in model.design.uses:
        column = frame[name]
        held[name] = [column.mean() if column.dtype.is_numeric() else column.mode().sort()[0]] * count
    return {**held, **{name: np.broadcast_to(value, count) for name, value in given.items()}}


def drawn(model, way):
    view = view_of(model)
    assert way in ways(view)
    picture = data_picture(view, way, "en")
    return view, picture.still, picture.moving(view, view.weights(view.end))


def close(found, wanted):
    wanted = np.asarray(wanted, dtype=float)
    np.testing.assert_allclose(np.array(found, dtype=float), wanted, atol=2e-4 * (np.ptp(wanted) or abs(wanted).max()))


@pytest.mark.parametrize("formula", ["y ~ a", "y ~ poly(a, 3)", "log(c) ~ a", "y + c ~ a", "passed ~ a", "group ~ a"])
def test_a_curve_is_what_the_model_predicts(noisy, formula):
    model = descend.fit(formula, noisy)
    _, still, moving = drawn(model, "a")
    predicted = model.predict({"a": still["grid"]}, **({} if model.family == "linear" else {"probabilities": True}))
    lines = np.atleast_2d(predicted.T)
    close(moving["lines"], lines[1:] if model.family == "logistic" else lines)
    assert len(still["points"]) == (len(moving["lines"]) if model.family != "logistic" else 2)
    drawn_rows = sum(len(group[which]) for group in still["points"] for which in ("fitted", "unseen"))
    assert drawn_rows == 120 * (2 if formula == "y + c ~ a" else 1)


def test_a_curve_with_few_levels_has_a_line_for_each(noisy):
    model = descend.fit("y ~ a * group", noisy)
    _, still, moving = drawn(model, "a")
    assert still["names"] == ["u", "v", "w"]
    for level, line in zip(still["names"], moving["lines"], strict=True):
        close(line, model.predict({"a": still["grid"], "group": [level] * len(still["grid"])}))


def test_a_partial_effect_is_a_mean_over_rows_as_they_are(noisy):
    model = descend.fit("y ~ a + b + c", noisy, test="none")
    _, still, moving = drawn(model, "a")
    frame = model.sample.frame
    chosen = frame[np.linspace(0, 119, 40).astype(int)]
    wanted = [model.predict(chosen.with_columns(a=pl.lit(x))).mean() for x in still["grid"]]
    close(moving["lines"][0], wanted)


def test_a_curve_ends_where_its_terms_do(noisy):
    model = descend.fit("y ~ log(c) + sqrt(c)", noisy)
    _, still, moving = drawn(model, "c")
    grid, line = np.linspace(*still["xr"], 90), np.array(moving["lines"][0], dtype=float)
    close(still["grid"], grid)
    assert grid[0] < 0 < grid[-1]
    np.testing.assert_array_equal(np.isnan(line), grid <= 0)
    close(line[grid > 0], model.predict({"c": grid[grid > 0]}))


@pytest.mark.parametrize("formula", ["y ~ group", "passed ~ group", "passed ~ group + a", "y ~ C(size)"])
def test_bars_are_mean_predictions_of_the_levels(noisy, formula):
    table = noisy | {"size": np.arange(120) % 4}
    model = descend.fit(formula, table)
    name = "size" if "size" in formula else "group"
    _, still, moving = drawn(model, name)
    frame = model.sample.frame
    linear = model.family == "linear"
    made = model.predict(frame) if linear else model.predict(frame, probabilities=True)[:, 1]
    labels = frame[name].cast(pl.String).str.strip_suffix(".0")
    close(moving["bars"], [made[(labels == level).to_numpy()].mean() for level in still["ticks"]])
    assert still["y"] == ("y" if linear else "probability of passed = yes")


@pytest.mark.parametrize("formula", ["passed ~ a + b", "group ~ a + b + c", "group ~ log(c) + a + passed"])
def test_regions_are_the_likeliest_classes_of_their_points(noisy, formula):
    model = descend.fit(formula, noisy)
    _, still, moving = drawn(model, REGIONS)
    x, y = (np.linspace(*still[ends], size) for ends, size in zip(("xr", "yr"), still["size"], strict=True))
    classes, sure = (np.frombuffer(base64.b64decode(moving[name]), np.uint8).reshape(56, 56) for name in moving)
    for row, column in ((0, 55), (20, 30), (55, 40), (31, 2)):
        point = rows_with(model, **{still["x"]: x[column], still["y"]: y[row]})
        if still["x"] == "c" and x[column] <= 0:
            assert sure[row, column] == 0
            continue
        chances = model.predict(point, probabilities=True)[0]
        assert classes[row, column] == chances.argmax()
        least = 1 / chances.size
        assert sure[row, column] == pytest.approx(255 * (chances.max() - least) / (1 - least), abs=0.51)


def test_what_is_predicted_is_held_against_what_is_true(noisy):
    model = descend.fit("y + c ~ a + b", noisy)
    _, still, moving = drawn(model, COMPARED)
    frame, tested = model.sample.frame, model.sample.tested
    predicted = model.predict(frame)
    for output, name in enumerate(still["names"]):
        for which, rows in (("fitted", ~tested), ("unseen", tested)):
            found = np.array(moving["points"][output][which])
            close(found[:, 0], predicted[rows, output])
            close(found[:, 1], frame[name].to_numpy()[rows])


def test_classes_are_counted_on_unseen_rows(noisy):
    model = descend.fit("group ~ a + b", noisy)
    _, still, moving = drawn(model, COMPARED)
    unseen = model.sample.frame.filter(pl.Series(model.sample.tested))
    wanted = [
        [int(((unseen["group"] == true).to_numpy() & (model.predict(unseen) == taken)).sum()) for taken in "uvw"]
        for true in "uvw"
    ]
    assert (still["ticks"], moving["counts"]) == (["u", "v", "w"], wanted)


def test_images_beside_numbers_can_be_shown():
    random = np.random.default_rng(0)
    table = {
        "image": random.integers(0, 255, (60, 4, 4), dtype=np.uint8),
        "a": random.normal(size=60),
        "b": random.normal(size=60),
        "label": random.choice(["u", "v"], 60),
    }
    view = view_of(descend.fit("label ~ image + a + b", table, **SGD))
    for way in ways(view):
        orjson.dumps(strict(everything(view, way)))


# the loss over two parameters


@pytest.mark.parametrize("case", ["plain", "l2", "sum", "two targets", "raw", "curve"])
@pytest.mark.parametrize("chosen", [None, [1, 0]], ids=["usual", "chosen"])
def test_a_grid_is_the_loss_there(slid, noisy, case, chosen):
    formula, more = TABLES[case]
    view = slid(noisy, formula, **SGD | more)
    check_grid(view, plane_of(view, chosen, "en"))


@pytest.mark.parametrize("case", ["logistic", "softmax", "absolute", "adam"])
def test_a_grid_over_rows_is_the_loss_there(noisy, case):
    formula, given = MODELS[case]
    view = view_of(descend.fit(formula, noisy, **given, l2=0.01))
    check_grid(view, plane_of(view, [2, 1] if case == "softmax" else None, "en"))


def test_one_parameter_has_a_line(slid, noisy):
    view = slid(noisy, "y ~ 0 + a", **SGD)
    plane = plane_of(view, None, "en")
    assert len(plane.names) == 1
    check_grid(view, plane)
    made = scene_of(view).surface
    assert (made["kind"], len(made["line"])) == ("line", 4 * 61)


def check_grid(view, plane):
    a, b, values = surface(view, plane)
    for row in range(0, len(b), 13):
        for column in range(0, len(a), 17):
            steps = np.array([a[column], b[row]])[: len(plane.directions)]
            point = plane.origin + steps @ plane.directions
            assert values[row, column] == pytest.approx(view.surface.value(point), rel=1e-9)
            near(plane.project(point[None])[0][: steps.size], steps)


def test_lines_of_equal_loss_are_of_equal_loss(slid, noisy):
    view = slid(noisy, "y ~ a + b", **SGD)
    scene = scene_of(view)
    _, _, values = surface(view, scene.plane)
    for line in scene.surface["lines"]:
        points = np.array(line)[1:-1]  # the ends may lie on the frame
        losses = [view.surface.value(scene.plane.origin + point @ scene.plane.directions) for point in points]
        assert np.ptp(losses) < 0.03 * np.ptp(values)
    image = np.frombuffer(base64.b64decode(scene.surface["image"]), np.uint8)
    assert scene.surface["size"] == [61, 61]
    assert image.argmin() == values.argmin()
    assert image.max() == 255


def test_a_plane_holds_the_start_and_the_goal_whatever_the_rate(stated, noisy):
    given = SGD | {"init": "normal"}
    slide = Slide(stated(noisy, "y ~ a + b + group", **given))
    views = [slide.view(Recipe(**given | {"lr": lr})) for lr in (1e-6, 0.1, 3.0)]
    planes = [plane_of(view, None, "en") for view in views]
    for view, plane in zip(views, planes, strict=True):
        assert (plane.window, plane.chosen) == (planes[0].window, planes[0].chosen)
        for place in plane.project(np.stack([view.path[0], view.goal])):
            for value, (low, high) in zip(place, plane.window, strict=True):
                assert low < value < high


@pytest.mark.parametrize("chosen", [[1, 1], [7], [-1, 99], [], [2, 0, 1]])
def test_a_plane_is_of_two_parameters_whatever_is_asked_for(slid, noisy, chosen):
    plane = plane_of(slid(noisy, "y ~ a + b", **SGD), chosen, "en")
    assert len(set(plane.chosen)) == 2
    assert all(0 <= index < 3 for index in plane.chosen)


def test_a_run_that_starts_at_its_goal_has_a_plane_that_can_be_drawn(stated, noisy):
    prepared = stated(noisy, "y ~ a + b", **SGD)
    goal = GramObjective.of(prepared.fitted).minimum.ravel()
    view = Slide(prepared).view(Recipe(**SGD, init=goal))
    plane = plane_of(view, None, "en")
    assert all(high - low > 1e-3 for low, high in plane.window)
    orjson.dumps(strict(everything(view)))


def stepped(X, y, lr, epochs):
    """Plain gradient descent on the mean squared error, epoch by epoch, in numbers of 60 digits."""
    X, y = mpmath.matrix(X.tolist()), mpmath.matrix(y.tolist())
    w = mpmath.zeros(X.cols, 1)
    made = [w]
    for _ in range(epochs):
        w = w - (2 * mpmath.mpf(lr) / X.rows) * (X.T * (X * w - y))
        made.append(w)
    return made


@pytest.mark.parametrize("rate", [1.02, 1.2, 1.91, 40.0])
@pytest.mark.parametrize("scaled", [True, False], ids=["standardised", "raw"])
def test_a_diverging_path_is_true_wherever_it_passes_the_window(slid, rate, scaled):
    table = {"x": np.arange(1.0, 25), "y": 3 * np.arange(1.0, 25) ** 1.1 + 4}
    usual = slid(table, "y ~ x", optimizer="sgd", lr=0.01, epochs=1, standardize=scaled, test="none")
    edge = 2 / usual.surface.curvatures[-1]
    view = slid(table, "y ~ x", optimizer="sgd", lr=rate * edge, epochs=100, standardize=scaled, test="none")
    assert view.diverged
    plane = plane_of(view, None, "en")
    made = path_picture(view, plane)
    x = table["x"]
    X = np.column_stack([np.ones(24), (x - x.mean()) / x.std() if scaled else x])
    directions, origin = (mpmath.matrix(part.tolist()) for part in (plane.directions, plane.origin))
    wide = max(high - low for low, high in plane.window)
    with mpmath.workdps(60):
        steps = [directions * (w - origin) for w in stepped(X, table["y"], view.lr, max(made["epochs"]))]
        for epoch, drawn in zip(made["epochs"], made["line"], strict=True):
            true = [float(value) for value in steps[epoch]]
            if None in drawn:
                assert max(map(abs, true)) > 1e9 * wide  # so far out that its digits say nothing of the window
                continue
            # a leg goes by the window as far off, in its width, as its far end is off in its own
            assert drawn == pytest.approx(true, rel=1e-8, abs=1e-6 * wide)
    if scaled:  # the first step goes through the goal, to its far side
        first, second = np.array(made["line"][:2]) - plane.project(view.goal[None])
        assert first @ second < 0


def test_one_number_that_is_far_out_leaves_the_others_where_they_are():
    values = np.array([1.2345678, -250.5, 0.0, 16_000.25, 1e48, -3e30])
    assert short(values)[:4] == pytest.approx(values[:4].tolist(), rel=1e-5)
    assert short(np.linspace(0, 1, 11)) == pytest.approx(np.linspace(0, 1, 11).tolist(), abs=1e-4)


def test_a_path_is_named_by_what_it_is_drawn_in(slid, noisy):
    named = [plane_of(slid(noisy, "y ~ a", **SGD, standardize=scaled), None, "en").names for scaled in (True, False)]
    assert named[0] == ["(intercept), standardised", "a, standardised"]
    assert not any("standardised" in name for name in named[1])


def test_numbers_of_two_values_make_no_plane_of_classes(noisy):
    table = {**noisy, "half": (noisy["a"] > 0).astype(float)}
    assert ways(view_of(descend.fit("group ~ b + half", table)))[0] == "b"
    assert ways(view_of(descend.fit("group ~ a + b + half", table)))[0] == REGIONS
    still = drawn(descend.fit("passed ~ half", table), "half")[1]
    places = [tuple(point) for group in still["points"] for which in ("fitted", "unseen") for point in group[which]]
    assert len(set(places)) == len(places)


# what travels


def everything(view, way="", epoch=None):
    """All that is sent for a run."""
    scene = scene_of(view, way)
    epoch = view.end if epoch is None else epoch
    moment = {**scene.moment(epoch), "equation": scene.equation(epoch, "en")}
    return {"data": scene.still(), "plane": scene.surface, "moment": moment, **scene.moving([], "en")}


def strict(value):
    """Check that a value is what JSON knows, with no number that it does not."""
    match value:
        case dict():
            assert all(isinstance(key, str) for key in value)
            return {key: strict(inner) for key, inner in value.items()}
        case list():
            return [strict(inner) for inner in value]
        case float():
            assert np.isfinite(value)
            return value
        case None | str() | int():
            return value
    raise AssertionError(f"{value!r} is nothing that JSON knows")


@pytest.mark.slow
@pytest.mark.parametrize("case", TABLES)
def test_what_is_sent_is_json_whatever_the_run(slid, noisy, case):
    formula, more = TABLES[case]
    view = slid(noisy, formula, **SGD | more)
    for way in ways(view):
        for epoch in (0, view.last // 2, view.last):
            assert len(orjson.dumps(strict(everything(view, way, epoch)))) < 200_000


@pytest.mark.slow
def test_what_is_sent_of_a_wide_long_run_is_small(slid):
    random = np.random.default_rng(0)
    X = random.normal(size=(250, 784))
    table = {f"x{i}": X[:, i] for i in range(784)} | {f"y{i}": random.normal(size=250) for i in range(10)}
    formula = " + ".join(f"y{i}" for i in range(10)) + " ~ " + " + ".join(f"x{i}" for i in range(784))
    view = slid(table, formula, optimizer="sgd", lr=0.01, epochs=10**6, test="none")
    for way in (COMPARED, "x3"):
        assert len(orjson.dumps(strict(everything(view, way)))) < 200_000
    assert scene_of(view).equation(5, "en") == "7,850 coefficients: more than an equation can show"


def test_many_classes_are_no_equation(noisy):
    table = {"x": np.arange(120.0), "label": [f"class {i % 30:02}" for i in range(120)]}
    view = view_of(descend.fit("label ~ x", table, optimizer="sgd", epochs=5))
    made = everything(view)
    assert made["moment"]["equation"] == "60 coefficients: more than an equation can show"
    assert len(orjson.dumps(strict(made))) < 200_000


def test_other_runs_are_laid_over_one_another(slid, noisy):
    view = slid(noisy, "y ~ a", **SGD)
    other = slid(noisy, "y ~ a + b", **SGD | {"epochs": 90})
    made = scene_of(view).moving([("first", view.curve), ("second", other.curve)], "en")["loss"]
    assert [one["name"] for one in made["others"]] == ["first", "second"]
    assert (made["end"], made["forecast"]) == (90, None)


def test_a_growing_curve_is_told_as_it_comes():
    made = growing_picture([[0, 3.0], [1, 2.5], [2, 1e-3]], 10, "loss")
    assert (made["fitted"], made["end"], made["log"]) == ([[0, 3.0], [1, 2.5], [2, 0.001]], 10, True)


losses = arrays(np.float64, st.integers(0, 6), elements=st.floats(0) | st.just(np.nan))


@settings(max_examples=150)
@given(curves=st.lists(losses, max_size=3).map(lambda found: [*found, np.array([1.0])]))
def test_the_axis_of_losses_holds_what_can_be_seen(curves):
    (low, high), logarithmic = _span(curves)
    assert 0 <= low < high <= 1e301
    assert not logarithmic or low > 0
    first = next(float(values[0]) for values in curves if values.size and np.isfinite(values[0]))
    for value in np.concatenate(curves):
        if max(1e-280, high / 1e16) <= value <= min(1e300, (1e9 * first) or HUGE):
            assert low <= value <= high * (1 + 1e-9)
    if logarithmic:
        assert np.log10([low, high]) == pytest.approx(np.round(np.log10([low, high])), abs=1e-9)


@settings(max_examples=200)
@given(arrays(np.float64, st.integers(0, 8), elements=st.floats()))
def test_shortened_numbers_are_those_of_before_to_a_ten_thousandth_of_their_range(values):
    made = short(values)
    finite = values[np.isfinite(values)]
    with np.errstate(over="ignore"):
        room = 1e-3 * (np.ptp(finite) if finite.size > 1 and np.ptp(finite) else np.abs(finite).max(initial=0.0))
    for found, value in zip(made, values.tolist(), strict=True):
        assert (found is None) == (not np.isfinite(value))
        assert found is None or abs(found - value) <= room


# what is painted on the slider


@pytest.mark.parametrize("more", [{}, {"momentum": 0.6}, {"momentum": 0.6, "nesterov": True}, {"l2": 3.0}], ids=str)
def test_the_zones_are_where_the_run_converges_and_diverges(stated, noisy, more):
    recipe = Recipe(**SGD | more)
    prepared = stated(noisy, "y ~ a + b", **SGD | more)
    slide = Slide(prepared)
    zones = zones_of(slide.quadratic(recipe.l2)[0], recipe)
    long = replace(recipe, epochs=20_000)
    assert not slide.view(replace(long, lr=0.99 * zones.edge)).diverged
    assert slide.view(replace(long, lr=1.01 * zones.edge)).diverged
    assert slide.view(replace(recipe, lr="auto")).lr == pytest.approx(zones.best)
    foretold = {rate.kind: rate for rate in prepared.forecast.rates}
    if not recipe.momentum:
        assert (foretold["sgd"].stable, foretold["sgd"].best) == pytest.approx((zones.edge, zones.best))
    told = zones.told()
    assert [part["kind"] for part in told["parts"]] == ["slow", "stable", "diverges"]
    assert (told["parts"][0]["from"], told["parts"][-1]["to"]) == (0.0, 1.0)
    for before, after in zip(told["parts"], told["parts"][1:], strict=False):
        assert before["to"] == after["from"]
    assert 10 ** (zones.low + told["edge"]["at"] * (zones.high - zones.low)) == pytest.approx(zones.edge)


def test_the_zones_of_other_losses_are_bounds_or_nothing(stated, noisy):
    prepared = stated(noisy, "passed ~ a + b", **SGD)
    zones = zones_foretold(prepared.forecast, Recipe(**SGD))
    assert (zones.edge, zones.sure, zones.best) == (prepared.forecast.bound.sure, True, None)
    assert [part["kind"] for part in zones.told()["parts"]] == ["sure", "unsure"]
    batches = SGD | {"batch_size": 8}
    forecast = stated(noisy, "y ~ a", **batches).forecast
    assert zones_foretold(forecast, Recipe(**batches)).edge == forecast.batch_sure
    adam = {"optimizer": "adam", "epochs": 10}
    forecast = stated(noisy, "y ~ a", **adam).forecast
    assert zones_foretold(forecast, Recipe(**adam)).told()["parts"] == []
    assert zones_foretold(None, Recipe(**SGD)).edge is None


def test_where_nothing_curves_there_is_no_edge():
    zero = GramObjective(np.zeros(1), np.eye(1), np.zeros((1, 1)), 1.0, np.eye(1))
    zones = zones_of(zero, Recipe(**SGD))
    assert (zones.edge, zones.best, zones.told()["parts"]) == (None, best_rate(np.zeros(1)), [])
    assert largest_stable_rate(0.0) == np.inf


# a hypothesis by clicking

ODD = [
    "a",
    "b",
    "a b",
    "점수",
    "x~y",
    "C",
    "log",
    "1",
    "a+b",
    "a:b",
    "I(a)",
    "-",
    "~",
    ".",
    "0",
    'x"y',
    "a\nb",
    "#",
    "−",
]
FORMULAS = [
    "", "y ~", "no ~ formula ~", "{0} ~ .", "{0} ~ {1}", "{0} ~ 1", "{0} ~ 0 + {1}", "{0} ~ {1} + {2}", "{0} ~ {1}*{2}",
    "{0} + {1} ~ {2}", "log({0}) ~ poly({1}, 2)", "{0} ~ . - {1}", "{0} ~ ({1} + {2})^2", "{0} ~ {1} - 1",
    "{0} ~ I({1} / {2}) + {1}", "{0} ~ 0 + .",
]  # fmt: skip


@settings(max_examples=150)
@given(
    columns=st.lists(st.sampled_from(ODD), min_size=3, max_size=5, unique=True),
    formula=st.sampled_from(FORMULAS),
    which=st.integers(0, 2),
)
def test_what_is_clicked_is_what_the_formula_then_says(columns, formula, which):
    formula = formula.format(*(f"`{name}`" for name in columns))
    column, before = columns[which], roles(formula, columns)
    made = toggled(formula, column, columns)
    parse(made).resolve(columns)
    if before.get(column) == "target":
        assert made == formula
    else:
        assert roles(made, columns).get(column) == (None if before.get(column) == "input" else "input")
    if not before.get(column):
        assert roles(made, columns).items() >= before.items()
    made = retargeted(formula, column, columns)
    parse(made).resolve(columns)
    assert roles(made, columns)[column] == "target"
    if before.get(column) == "input":
        assert all(roles(made, columns)[name] == "input" for name, role in before.items() if role == "target")


def test_a_name_that_no_formula_can_hold_changes_nothing():
    columns = ["y", "a", "x`y", ""]
    for name in columns[2:]:
        assert toggled("y ~ a", name, columns) == retargeted("y ~ a", name, columns) == "y ~ a"
    assert toggled("", "a", columns) == "y ~ a"
    with pytest.raises(FormulaError):
        parse("`x`y` ~ 1")


# the runs


@pytest.fixture
def ran(tmp_path, noisy):
    """Fit and return the row of it."""

    def run(number, formula="y ~ a", **given):
        path = tmp_path / f"run-{number}.safetensors"
        model = fitted(noisy, formula, **given)
        model.save(path)
        return run_of(model, number, given, path, 0.1, None)

    return run


def test_the_best_run_is_the_one_with_the_least_error_on_unseen_rows(ran):
    runs = Runs()
    runs.add(ran(runs.next_number(), "y ~ c"))
    assert runs.best() is None
    runs.add(ran(runs.next_number(), "y ~ a + b"))
    runs.add(ran(runs.next_number(), "y ~ a"))
    assert runs.best() == 2
    runs.add(ran(runs.next_number(), "passed ~ a"))
    assert runs.best() is None
    runs.add(ran(runs.next_number(), "passed ~ a + b"))
    assert runs.best() in (4, 5)
    runs.add(ran(runs.next_number(), "y ~ a", lr=10.0, epochs=900))  # tested on nothing
    assert runs.best() in (4, 5)


def test_runs_of_one_target_are_only_held_against_those_scored_alike(ran, noisy):
    noisy["one"] = (noisy["a"] > 10) * 1.0
    runs = Runs()
    runs.add(ran(runs.next_number(), "one ~ a", family="linear"))
    runs.add(ran(runs.next_number(), "one ~ a"))
    assert [run.metric for run in runs.rows] == ["rmse", "accuracy"]
    assert runs.best() is None


def test_the_same_fitted_again_takes_the_place_and_the_name(ran):
    runs = Runs()
    first = ran(runs.next_number())
    runs.add(first)
    runs.rename(1, "  the \n first ")
    runs.rename(1, " ")
    runs.choose(1, True)
    runs.add(ran(runs.next_number()))
    assert [(run.number, run.name) for run in runs.rows] == [(2, "the first")]
    assert not first.path.exists()
    runs.add(ran(runs.next_number(), "y ~ b"))
    assert runs.compared() == []
    runs.choose(3, True)
    assert [run.number for run in runs.compared()] == [2, 3]
    runs.delete(2)
    assert (runs.compared(), [run.name for run in runs.rows]) == ([], ["3"])
    runs.clear()
    assert (runs.rows, runs.find(3)) == ([], None)


def test_the_oldest_run_goes_when_there_are_too_many(ran):
    runs, one = Runs(), ran(1)
    for number in range(1, MOST + 3):
        runs.add(replace(one, number=number, formula=f"y ~ {number}"))
    assert (len(runs.rows), runs.rows[0].number) == (MOST, 3)


def test_the_best_run_is_the_best_by_the_score_that_is_shown(tmp_path):
    def scored(number, score, loss, metric="accuracy", **changes):
        run = Run(
            number, "", "", {}, tmp_path / "none", ("y",), "optimum", 1, 0.1, 0.1, "", LossCurve(*3 * (np.empty(0),))
        )
        tested = Verification("holdout", 20, 80, [], [], [], "verdict.better-classes", {})
        return replace(run, metric=metric, score=score, loss=loss, verification=tested, **changes)

    runs = Runs()
    runs.rows = [scored(1, 0.9, 0.5), scored(2, 0.8, 0.3)]
    assert runs.best() == 1  # not the one of the least log-loss, which is not shown
    runs.rows.append(scored(3, 0.9, 0.4))
    assert runs.best() == 3
    runs.rows = [scored(1, 0.4, 0.1, "r2"), scored(2, 0.6, 0.9, "r2")]
    assert runs.best() == 2
    runs.rows = [scored(1, 0.4, 0.1, "rmse"), scored(2, 0.6, 0.05, "rmse")]
    assert runs.best() == 1
    runs.rows = [scored(1, 0.9, 0.5), scored(2, 0.8, 0.3, settings={"seed": 3}), scored(3, 0.7, 0.3)]
    assert runs.best() == 1
    runs.rows = [scored(1, 0.9, 0.5, settings={"test": "loo"}), scored(2, 0.8, 0.3)]
    assert runs.best() is None  # scores of other rows


@pytest.mark.parametrize("settings", [{"l2": 0.1}, {"loss": "sse"}, {"loss": "sse", "l2": 2.0}, {}])
def test_the_losses_of_fitted_and_unseen_rows_are_comparable(noisy, stated, settings):
    """With the same penalty, and a sum for as many rows; by hand at the end of the run."""
    given = {"optimizer": "sgd", "epochs": 40, **settings}
    model = fitted(noisy, "y ~ a + b", **given)
    kept, l2 = kept_columns(model), settings.get("l2", 0.0)
    X, y, tested = model.design.matrix(kept), model.target.encode(kept)[:, 0], model.sample.tested
    squares = np.square(X @ model.weights[:, 0] - y)
    penalty = l2 * np.square(model.weights[1:]).sum()
    rows = (~tested).sum() if settings.get("loss") == "sse" else 1
    expected = [rows * squares[which].mean() + penalty for which in (~tested, tested)]
    assert view_of(model).losses(40) == pytest.approx(expected)
    slide = Slide(stated(noisy, "y ~ a + b", **{"lr": "auto", **given})).view(Recipe(**{"lr": "auto", **given}))
    assert slide.losses(40) == pytest.approx(expected)
