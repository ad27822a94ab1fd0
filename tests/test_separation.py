"""Separation: against exact arithmetic on small tables, and on large ones whose answer is known by their make."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descend.analysis import separation
from descend.analysis.separation import find_separation
from descend.objectives.losses import BinaryCrossEntropy, CrossEntropy


def line(*columns):
    """Return X: an intercept and the columns given."""
    return np.column_stack([np.ones(len(columns[0])), *columns]).astype(float)


def kind(X, codes, classes=2):
    found = find_separation(np.asarray(X), np.asarray(codes), classes)
    return found and found.kind


def lowest_margins(X, codes, direction):
    """Return each row's own output less the largest other one."""
    Z = X @ (direction if direction.shape[1] > 1 else np.column_stack([np.zeros(len(direction)), direction]))
    own = Z[np.arange(len(X)), codes]
    Z[np.arange(len(X)), codes] = -np.inf
    return own - Z.max(axis=1)


def draw(seed, make):
    """Return a small table of whole numbers, drawn in one of several ways, with codes and the number of classes."""
    random = np.random.default_rng(seed)
    classes = int(random.choice([2, 2, 3]))
    rows, columns = int(random.integers(4, 14 if classes == 2 else 10)), int(random.integers(1, 4))
    whole = random.integers(-4, 5, (rows, columns)).astype(float)
    if make == "origin":
        X = whole
    elif make == "intercept":
        X = line(whole)
    elif make == "offset":
        X = line(1e6 + whole)
    elif make == "scales":
        X = line(whole * 10.0 ** random.integers(-8, 9, columns))
    elif make == "sizes":
        X = whole * 8.0 ** random.integers(-6, 7, (rows, 1))
    elif make == "collinear":
        X = line(whole, whole[:, 0], line(whole) @ random.integers(-2, 3, (columns + 1, 2)), np.zeros(rows))
    else:
        X = line(random.integers(0, 3, rows)[:, None] == np.arange(3), random.integers(-2, 3, rows))
    codes = random.integers(0, classes, rows)
    if random.uniform() < 0.6:
        shares = X / np.maximum(np.abs(X).max(axis=0), 1e-300)
        codes = (shares @ random.integers(-2, 3, (X.shape[1], classes))).argmax(axis=1)
        codes[random.integers(rows)] = random.integers(classes)
    return X, codes, classes


def largest(goal, A, b):
    """Return the largest goal x with A x <= b and x >= 0, exactly, from x = 0 (simplex; Bland 1977 against cycles)."""
    count = len(goal)
    table = [[*map(Fraction, row), *(Fraction(i == j) for j in range(len(A))), b[i]] for i, row in enumerate(A)]
    last = [*(-Fraction(g) for g in goal), *[Fraction(0)] * (len(A) + 1)]
    basis = list(range(count, count + len(A)))
    while any(price < 0 for price in last[:-1]):
        enter = next(j for j, price in enumerate(last) if price < 0)
        ratios = [(row[-1] / row[enter], basis[i], i) for i, row in enumerate(table) if row[enter] > 0]
        leave = min(ratios)[2]
        table[leave] = [value / table[leave][enter] for value in table[leave]]
        for row in [*table[:leave], *table[leave + 1 :], last]:
            if times := row[enter]:
                row[:] = [value - times * pivot for value, pivot in zip(row, table[leave], strict=True)]
        basis[leave] = enter
    return last[-1]


def exact(X, codes, classes):
    """Return the kind of separation, in rational arithmetic, of weights written as differences of two that are >= 0."""
    A = []
    for row, own in zip(X.tolist(), codes.tolist(), strict=True):
        for other in {*range(classes)} - {own}:
            margin = [Fraction(x) * ((c == own) - (c == other)) for c in range(1, classes) for x in row]
            A.append([*margin, *(-m for m in margin)])
    falls, total = [[-m for m in row] for row in A], [sum(column) for column in zip(*A, strict=True)]
    if largest(total, [*falls, total], [0] * len(falls) + [1]) == 0:
        return None
    goal = [0] * len(total) + [1]
    perfect = largest(goal, [*([*fall, 1] for fall in falls), goal], [0] * len(falls) + [1])
    return "perfect" if perfect > 0 else "quasi"


@pytest.mark.slow
@pytest.mark.parametrize("make", ["origin", "intercept", "offset", "scales", "sizes", "collinear", "levels"])
def test_small_tables_come_out_as_in_exact_arithmetic(make):
    kinds = []
    for seed in range(70 if make == "offset" else 30):
        X, codes, classes = draw(seed, make)
        kinds.append(exact(X, codes, classes))
        assert kind(X, codes, classes) == kinds[-1], seed
    assert {*kinds} == {"perfect", "quasi", None}


def test_classes_with_a_gap_between_them_are_perfectly_separable():
    X, codes = line([1, 2, 3, 5, 6]), np.array([0, 0, 0, 1, 1])
    found = find_separation(X, codes, 2)
    assert found.kind == "perfect"
    assert found.direction.shape == (2, 1)
    assert np.abs(found.direction).max() == 1
    assert (lowest_margins(X, codes, found.direction) > 0).all()
    assert found.separated.all()


def test_a_level_whose_rows_are_all_of_one_class_is_quasi_separable():
    level = np.array([0, 0, 0, 0, 0, 0, 1, 1])
    X, codes = line([1, 2, 3, 1, 2, 3, 1, 3], level), np.array([0, 1, 0, 1, 0, 1, 1, 1])
    found = find_separation(X, codes, 2)
    assert found.kind == "quasi"
    np.testing.assert_array_equal(found.separated, level == 1)
    np.testing.assert_allclose(found.direction[:, 0], [0, 0, 1], atol=1e-12)


def test_one_row_of_the_other_class_in_the_level_makes_the_classes_overlap():
    X = line([1, 2, 3, 1, 2, 3, 1, 3, 2], [0, 0, 0, 0, 0, 0, 1, 1, 1])
    assert kind(X, [0, 1, 0, 1, 0, 1, 1, 1, 1]) == "quasi"
    assert kind(X, [0, 1, 0, 1, 0, 1, 1, 1, 0]) is None


def test_classes_that_touch_in_one_point_are_quasi_separable_but_for_the_rows_there():
    x = np.array([1, 2, 3, 3, 4, 5])
    found = find_separation(line(x), np.array([0, 0, 0, 1, 1, 1]), 2)
    assert found.kind == "quasi"
    np.testing.assert_array_equal(found.separated, x != 3)


def test_classes_that_interleave_overlap():
    assert kind(line([1, 2, 3, 4]), [0, 1, 0, 1]) is None
    assert kind(line([0, 0, 1, 1], [0, 1, 0, 1]), [0, 1, 1, 0]) is None


def test_without_an_intercept_the_boundary_goes_through_the_origin():
    x, codes = np.array([[1.0], [2.0], [3.0], [4.0]]), [0, 0, 1, 1]
    assert kind(x, codes) is None
    assert kind(line(x), codes) == "perfect"
    assert kind(x - 2.5, codes) == "perfect"


@pytest.mark.parametrize("by", [1e-6, 1e-7, 1e-8, 1e-9])
def test_an_overlap_or_a_gap_below_the_tolerance_of_the_programme_is_seen(by):
    x, codes = np.array([0, 0.1, 0.3, 0.5, 0.5, 0.7, 0.8, 1]), [0, 0, 0, 0, 1, 1, 1, 1]
    assert kind(line(x), codes) == "quasi"
    assert kind(line(x + by * np.array([0, 0, 0, 1, 0, 0, 0, 0])), codes) is None
    assert kind(line(x - by * np.array([0, 0, 0, 1, 0, 0, 0, 0])), codes) == "perfect"


@pytest.mark.parametrize("seed", range(5))
def test_an_overlap_within_a_small_cluster_is_an_overlap(seed):
    random = np.random.default_rng(seed)
    X = line(random.normal(size=(300, 8)))
    codes = (X[:, 1] > 0).astype(int)
    assert kind(X, codes) == "perfect"
    cluster = line(X[np.argmin(np.abs(X[:, 1])), 1:] + 1e-7 * random.normal(size=(40, 8)))
    assert kind(np.vstack([X, cluster]), np.append(codes, np.arange(40) % 2)) is None


def test_three_classes_apart_are_perfectly_separable():
    x = np.array([-3.0, -2, -1, 0, 1, 2, 3])
    X, codes = line(x, x**2), np.array([0, 0, 1, 1, 1, 2, 2])
    found = find_separation(X, codes, 3)
    assert found.kind == "perfect"
    assert found.direction.shape == (3, 3)
    np.testing.assert_allclose(found.direction.sum(axis=1), 0, atol=1e-12)
    assert np.abs(found.direction).max() == 1
    assert (lowest_margins(X, codes, found.direction) > 0).all()


def test_one_class_apart_from_two_that_overlap_is_quasi_separable():
    X, codes = line([1, 2, 3, 4, 8, 9]), np.array([1, 2, 1, 2, 0, 0])
    found = find_separation(X, codes, 3)
    assert found.kind == "quasi"
    np.testing.assert_array_equal(found.separated, codes == 0)


def test_a_level_without_rows_of_one_of_three_classes_is_quasi_separable_though_no_row_is_sure():
    x, level = [1, 2, 3, 1, 2, 3, 3, 2, 1, 1, 2, 3, 3, 2, 1], np.repeat([0, 1], [9, 6])
    codes = np.array([0, 1, 2, 1, 2, 0, 0, 1, 2, 0, 1, 0, 1, 0, 1])
    X = line(x, level)
    found = find_separation(X, codes, 3)
    assert found.kind == "quasi"
    np.testing.assert_allclose(lowest_margins(X, codes, found.direction), 0, atol=1e-12)
    assert not found.separated.any()
    pulled = X @ found.direction
    assert (pulled[level == 1, 2] < pulled[level == 1, 0] - 0.1).all()


@pytest.mark.parametrize("seed", [33, 48, 52, 87])
def test_long_tails_are_quasi_separable_where_one_row_is_in_two_classes(seed):
    random = np.random.default_rng(seed)
    X = line(np.exp(3 * random.normal(size=(120, 6))))
    found = find_separation(np.vstack([X, X[0]]), np.append(np.full(120, 1), 2), 3)
    assert found.kind == "quasi"
    assert not found.separated[[0, 120]].any()


def test_three_classes_that_overlap_pairwise_overlap():
    assert kind(line([1, 2, 3, 1, 2, 3, 1, 2, 3]), [0, 1, 2, 1, 2, 0, 2, 0, 1], 3) is None


def test_the_loss_falls_all_the_way_along_the_direction():
    random = np.random.default_rng(3)
    level = np.arange(90) % 5 == 0
    X = line(random.normal(size=90), level)
    for classes, loss in [(2, BinaryCrossEntropy()), (3, CrossEntropy())]:
        codes = np.where(level, 1, random.integers(0, classes, 90))
        direction = find_separation(X, codes, classes).direction
        start, Y = random.normal(size=direction.shape), codes[:, None].astype(float)
        values = [loss.value(X @ (start + step * direction), Y).sum() for step in (0, 1, 3, 10, 30)]
        assert (np.diff(values) < 0).all()


@pytest.mark.parametrize("scale", [1e-8, 1e-3, 1.0, 1e5, 1e8])
def test_scales_of_columns_change_nothing(scale):
    x, other = np.array([1.0, 2, 3, 4, 5, 6, 1, 6]), np.array([3.0, 1, 2, 2, 3, 1, 1, 3])
    X, codes = line(x * scale, other / scale), (x > 3).astype(int)
    found = find_separation(X, codes, 2)
    assert found.kind == "perfect"
    assert np.abs(found.direction).max() == 1
    assert (lowest_margins(X, codes, found.direction) > 0).all()
    assert kind(line(np.append(x, 3) * scale), np.append(codes, 1)) == "quasi"
    assert kind(X, [0, 1, 0, 1, 0, 0, 1, 1]) is None


@pytest.mark.parametrize("offset", [2007, 1e5, 1e7, -1e8])
def test_an_offset_next_to_an_intercept_changes_nothing(offset):
    x = offset + np.array([0, 1, 2, 3, 4, 5])
    assert kind(line(x), [0, 0, 0, 1, 1, 1]) == "perfect"
    assert kind(line(np.append(x, x[2])), [0, 0, 0, 1, 1, 1, 1]) == "quasi"
    assert kind(line(x), [0, 0, 1, 0, 1, 1]) is None


def test_collinear_duplicate_and_empty_columns_change_nothing():
    random = np.random.default_rng(1)
    a, b, level = random.normal(size=60), random.normal(size=60), np.arange(60) < 6
    more = [a, a + b, 3 * a - 2 * b + 1, np.zeros(60), np.full(60, 7.0), ~level]
    for codes in (a + b > 0.2, level | (random.uniform(size=60) < 0.5), random.uniform(size=60) < 0.5):
        plain = kind(line(a, b, level), codes.astype(int))
        assert kind(line(a, b, level, *more), codes.astype(int)) == plain
    assert plain is None


def test_the_order_of_rows_and_the_names_of_classes_change_nothing():
    for seed in range(20):
        X, codes, classes = draw(seed, "intercept")
        order = np.random.default_rng(seed).permutation(len(X))
        assert kind(X[order], codes[order], classes) == kind(X, codes, classes)
        assert kind(X, classes - 1 - codes, classes) == kind(X, codes, classes)


def test_single_precision_and_whole_numbers_will_do():
    random = np.random.default_rng(2)
    X = line(random.integers(0, 9, 80), random.integers(2000, 2020, 80))
    for codes in ((X[:, 2] > 2010).astype(int), random.integers(0, 2, 80)):
        expected = kind(X, codes)
        assert kind(np.column_stack([X, X[:, 1] + X[:, 2]]).astype(np.float32), codes) == expected
        assert kind(X.astype(np.int64), codes) == expected


def test_a_class_without_rows_can_be_driven_away_and_is_no_error():
    X = line([1.0, 2, 3, 4])
    assert kind(X, [1, 1, 1, 1]) == "perfect"
    assert kind(X, [0, 2, 0, 2], 3) == "quasi"
    assert kind(X[:, 1:] - 2.5, [0, 2, 2, 0], 3) is None


def test_many_classes_with_few_rows_each_will_do():
    codes = np.arange(300) % 60
    assert kind(line(codes, codes**2), codes, 60) == "perfect"
    assert kind(line(np.arange(300) // 60), codes, 60) is None


def test_there_is_nothing_to_separate_without_rows_columns_or_classes():
    assert kind(np.empty((0, 3)), np.empty(0, int)) is None
    assert kind(np.empty((4, 0)), [0, 1, 0, 1]) is None
    assert kind(np.zeros((4, 2)), [0, 1, 0, 1]) is None
    assert kind(np.ones((4, 2)), [0, 0, 0, 0], 1) is None


@pytest.mark.parametrize("seed", range(6))
def test_a_small_sample_leads_to_the_same_answer_as_all_rows(seed, monkeypatch):
    random = np.random.default_rng(seed)
    classes = 2 + seed % 2
    X = line(random.normal(size=(900, 3)).round(1), np.arange(900) % 150 == 0)
    Z = X @ random.normal(size=(5, classes))
    noisy = (Z + random.gumbel(size=Z.shape)).argmax(axis=1)
    tables = {"perfect": Z.argmax(axis=1), "quasi": np.where(X[:, 4] == 1, 1, noisy), None: noisy}
    tables[None][X[:, 4] == 1] = np.arange(6) % classes
    for sample in (30, 10_000):
        monkeypatch.setattr(separation, "SAMPLE", sample)
        for expected, codes in tables.items():
            assert kind(X, codes, classes) == expected


def test_sorted_rows_are_no_reason_for_an_alarm():
    random = np.random.default_rng(4)
    x = np.sort(random.normal(size=40_000))
    codes = np.sort(random.integers(0, 2, 40_000))
    assert kind(line(random.normal(size=40_000)), codes) is None
    assert kind(line(x), codes) == "perfect"
    codes[[100, -100]] = [1, 0]
    assert kind(line(x), codes) is None


@pytest.mark.parametrize("rows", [1, 3, 500])
def test_a_level_that_a_sample_may_miss_is_found(rows):
    random = np.random.default_rng(rows)
    level = np.zeros(50_000)
    level[random.choice(50_000, rows, replace=False)] = 1
    codes = np.where(level == 1, 1, random.uniform(size=50_000) < 0.3).astype(int)
    X = line(random.normal(size=(50_000, 4)), level)
    found = find_separation(X, codes, 2)
    assert found.kind == "quasi"
    np.testing.assert_array_equal(found.separated, level == 1)
    if rows > 1:
        codes[np.flatnonzero(level)[0]] = 0
        assert find_separation(X, codes, 2) is None


def test_one_row_among_many_decides():
    random = np.random.default_rng(6)
    X = line(random.normal(size=(60_000, 5)))
    z = X @ random.normal(size=6)
    codes = (z > 0).astype(int)
    found = find_separation(X, codes, 2)
    assert found.kind == "perfect"
    assert (lowest_margins(X, codes, found.direction) > 0).all()
    far = np.argmax(z)
    codes[far] = 0
    assert find_separation(X, codes, 2) is None
    near, codes[far] = np.argmin(np.abs(z)), 1
    twin = np.vstack([X, X[near]]), np.append(codes, 1 - codes[near])
    found = find_separation(*twin, 2)
    assert found.kind == "quasi"
    assert not found.separated[[near, -1]].any()


def test_a_rare_class_among_many_rows_is_told_apart_or_not():
    random = np.random.default_rng(8)
    X = line(random.normal(size=(60_000, 4)))
    z = X @ random.normal(size=5)
    codes = (z > np.sort(z)[-30]).astype(int)
    assert kind(X, codes) == "perfect"
    codes[random.choice(60_000, 30)] = 1
    assert kind(X, codes) is None


CELLS = st.sampled_from([-2.0, -1.0, 0.0, 1.0, 3.0, 0.1, 0.3]) | st.floats(-10, 10)


@settings(max_examples=100)
@given(st.data(), st.integers(1, 12), st.integers(1, 4), st.integers(2, 4), st.integers(0, 9999))
def test_what_is_found_leaves_no_row_behind_and_takes_one_ahead(data, rows, columns, classes, seed):
    cells = data.draw(st.lists(CELLS, min_size=rows * columns, max_size=rows * columns))
    random = np.random.default_rng(seed)
    X = np.reshape(cells, (rows, columns)) * 10.0 ** random.integers(-8, 9, columns)
    X[:, 0] = np.where(random.uniform() < 0.7, 1.0, X[:, 0])
    codes = random.integers(0, classes, rows)
    found = find_separation(X, codes, classes)
    if found is None:
        return
    assert np.isfinite(found.direction).all()
    assert found.direction.shape == (columns, 1 if classes == 2 else classes)
    assert found.separated.all() == (found.kind == "perfect")
    sizes = np.abs(X).max(axis=0) * np.abs(found.direction).max(axis=1)
    margins = lowest_margins(X, codes, found.direction)
    assert (margins >= -1e-9 * sizes.max()).all()
    assert (margins[found.separated] > 0).all()
    Z = X @ (found.direction if classes > 2 else np.column_stack([0 * found.direction, found.direction]))
    ahead = np.take_along_axis(Z, codes[:, None], axis=1) - Z
    assert ahead.max() > 0
