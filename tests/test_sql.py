"""SQL and what is pushed down: expressions, keys and sums as NumPy and the streamed reading make them."""

from __future__ import annotations

import math
import random
import struct
from functools import reduce

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from descend.base.errors import TableError
from descend.base.texts import plain_name
from descend.base.threads import one_blas_thread
from descend.design.encodings.poly import PolyCode
from descend.fitting.survey._aggregate_sql import SUMS, gram
from descend.fitting.survey.pushdown import survey_in_database
from descend.fitting.survey.survey import Plan, survey_part
from descend.formula.ast import Apply, Arithmetic, Category, Hypothesis, Name, Number, Operation, Poly
from descend.formula.evaluate import values_of
from descend.formula.functions import FUNCTIONS
from descend.formula.parser import parse
from descend.objectives.families import FAMILIES
from descend.objectives.target import Target, target_uses
from descend.tables.columns import uses
from descend.tables.databases import _sqlite as sqlite_scans
from descend.tables.databases.query import open_query
from descend.tables.databases.sql import (
    DIALECTS,
    expression_sql,
    key_sql,
    keyed_sql,
    name_sql,
    number_sql,
    text_sql,
    value_sql,
)
from descend.tables.row_sampling import KEYS, Draw, row_keys

EXPRESSIONS = [
    "min(x, n)",
    "I(max(x, n, 0) / min(n, 2))",
    *(f"{name}(x)" for name, function in FUNCTIONS.items() if function.sql), "I(x/n)",
    "I(x**n)", "I(x**2)", "I(x**-1)", "I(x**0.5)", "I(-x)", "I(-(-x))", "I(1 - 2*x/7)", "I(x - (-3))",
    "I((x + n)**2 / (1 + x**2))",    "log1p(log1p(sqrt(log(x + 5))))", "I(1/3 + x)",
]  # fmt: skip
POINTS = [
    (-3.0, 2.0), (0.0, 1.0), (1e-12, 3.0), (5.0, -2.0), (2.5, 0.5), (-1.0, 0.0), (-0.25, 1 / 3), (300.0, 2.0),
    (0.0, 0.0), (0.0, -1.0), (-2.0, -3.0),
]  # fmt: skip
WORDS = ["u", "v", " w ", 'it\'s "quoted"', "'; drop table t; --", "\\", "가나다", "U", "{0} %s", None, "NA", "1.0"]


def expression_of(text):
    (factor,) = parse(f"y ~ {text}").resolve(["y", "x", "n"]).terms[0]
    return factor.expression


def filled(place, rows=6000, seed=1, words=WORDS[:9]):
    """Fill a table t: an offset of a million in a, a skewed b, a k of few values, gaps in m, and words."""
    draw = random.Random(seed)
    made = []
    for number in range(rows):
        b, k = draw.expovariate(1) + 0.1, draw.randrange(4)
        gap = None if draw.random() < 0.01 else draw.gauss(0, 1)
        made.append((number, draw.gauss(1e6, 1), b, k, gap, bool(draw.random() < 0.3), draw.choice(words)))
    types = {"y": "int", "a": "real", "b": "real", "k": "int", "m": "real", "t": "bool", "g": "text"}
    place.fill("t", types, made)


def plan_of(scan, hypothesis, missing="error", share=0.25, **settings):
    if isinstance(hypothesis, str):
        hypothesis = parse(hypothesis).resolve(scan.head.columns)
    wanted, outputs = uses(hypothesis, scan.head), target_uses(hypothesis, FAMILIES["linear"])
    target = Target(FAMILIES["linear"], hypothesis.targets, tuple(outputs), ())
    polys = [factor for term in hypothesis.terms for factor in term if isinstance(factor, Poly)]
    coded = {str(factor): PolyCode(factor.expression, factor.degree, str(factor)) for factor in polys}
    fills = {"m": 0.125} if missing == "mean" else {}
    shifts = {"a": 1e6, "(target 1)": 3.0, "g[u]": 0.125}
    draw = Draw.of(scan.rows, share, 3)
    settings = {"fills": fills, "shifts": shifts, "polys": coded} | settings
    return Plan(hypothesis, wanted, outputs, target, draw, missing, **settings)


def streamed(scan, plan):
    with one_blas_thread():
        return reduce(lambda one, two: one + two, [survey_part(plan, part) for part in scan.parts(list(plan.wanted))])


def assert_same(pushed, read):
    assert set(pushed.names) == set(read.names)
    ours, theirs = pushed.sums(list(read.names)), read.sums(list(read.names))
    lengths = np.sqrt(np.diag(theirs))
    assert (np.abs(ours - theirs) <= 1e-10 * np.outer(lengths, lengths)).all()
    for field in ("rows", "fitted", "levels", "filled", "dropped"):
        assert getattr(pushed, field) == getattr(read, field), field
    assert pushed.totals == pytest.approx(read.totals, rel=1e-10)
    assert pushed.layers.tolist() == read.layers.tolist()
    for ours, theirs in ((pushed.tested, read.tested), (pushed.shown, read.shown)):
        assert [n for rows in ours for n in rows.numbers] == [n for rows in theirs for n in rows.numbers]
        if theirs:
            assert pl.concat([rows.frame for rows in ours]).equals(pl.concat([rows.frame for rows in theirs]))


@pytest.mark.slow
@pytest.mark.parametrize("text", EXPRESSIONS)
def test_an_expression_gives_what_numpy_gives_and_null_where_that_is_not_finite(place, text):
    place.fill("t", {"x": "real", "n": "real"}, POINTS)
    expression = expression_of(text)
    x, n = np.array(POINTS).T
    expected = np.broadcast_to(values_of(expression, {"x": x, "n": n}), x.shape)
    with open_query(place.address, "select * from t") as scan:
        found = scan.database.ask(f"select {expression_sql(expression, place.dialect)} from {scan.database.source}")
    made = np.array([math.nan if value is None else value for (value,) in found])
    np.testing.assert_allclose(made, np.where(np.isfinite(expected), expected, np.nan), rtol=4e-15, atol=0)


def test_whole_numbers_are_divided_as_fractions(place):
    place.fill("t", {"x": "int", "n": "int"}, [(1, 2), (7, 0)])
    with open_query(place.address, "select * from t") as scan:
        asked = expression_sql(expression_of("I(x / n)"), place.dialect)
        assert scan.database.ask(f"select {asked} from {scan.database.source}") == [(0.5,), (None,)]


def test_numbers_keep_their_last_bit(place):
    draw = random.Random(5)
    values = [struct.unpack("d", draw.randbytes(8))[0] for _ in range(300)]
    values += [round(draw.uniform(-10, 10), draw.randint(1, 8)) for _ in range(300)]
    values += [5e-324, -5e-324, 2.0**-1022, 1.7976931348623157e308, 2.0**62, 2.0**63, -(2.0**53) - 2, 0.1, 0.0]
    values = [value for value in values if math.isfinite(value)]
    with open_query(place.address, "select 1 as a") as scan:
        found = scan.database.ask(f"select {', '.join(number_sql(value, place.dialect) for value in values)}")
    assert list(found[0]) == values


def test_what_is_no_number_is_not_written():
    for dialect in DIALECTS:
        with pytest.raises(ValueError, match="nan"):
            number_sql(math.nan, dialect)


def test_texts_and_names_come_back_as_they_were(place):
    texts = ["", "'", "''", '"', "\\", "\\'; drop table t; --", "가", "%s", "--", "/*", "\n", "😀"]
    texts += ["a\0b"] * (place.dialect == "sqlite")
    with open_query(place.address, "select 1 as a") as scan:
        assert scan.database.ask(f"select {', '.join(text_sql(text, place.dialect) for text in texts)}")[0] == tuple(
            texts
        )
        for text in filter(None, texts[:12]):
            assert scan.database.ask(f"select {name_sql(text)} from (select 1 as {name_sql(text)}) as q") == [(1,)]


def test_functions_that_sqlite_was_built_without_are_given_to_it(sqlite, monkeypatch):
    monkeypatch.setitem(sqlite_scans.CALLED, "absent", math.log)
    with open_query(sqlite.address, "select 1 as a") as scan:
        asked = "select absent(1), absent(0), absent(null), absent('x'), absent(-1)"
        assert scan.database.ask(asked) == [(0.0, None, None, None, None)]


def test_deeply_nested_functions_make_sql_that_grows_no_faster_than_they():
    for dialect in DIALECTS:
        for function in FUNCTIONS:
            if dialect not in FUNCTIONS[function].sql:
                continue
            expression = Name("x")
            for _ in range(40):
                expression = Apply(function, Operation("**", expression, Number(0.5)))
            assert len(expression_sql(expression, dialect)) < 20_000


@pytest.mark.parametrize("seed", [0, 1, 2, 7, 12345, 2**31, -1])
def test_keys_are_those_of_the_rows_drawn_in_memory(place, seed):
    starts = [0, 1, 1000, 2**31 - 3, 2**31, 2**32 - 1, 2**40 + 5, 2**61]
    numbers = [start + step for start in starts for step in range(6)]
    expected = [int(key) for start in starts for key in row_keys(start, 6, seed)]
    with open_query(place.address, "select 1 as a") as scan:
        source = (
            f"(select {numbers[0]} as n" + "".join(f" union all select {number}" for number in numbers[1:]) + ") as t"
        )
        found = scan.database.ask(f"select n, {key_sql('n', seed, place.dialect)} from {source}")
        assert dict(found) == dict(zip(numbers, expected, strict=True))
        few = scan.database.ask(f"select n, {key_sql('n', seed, place.dialect, 1000)} from {source} where n < 900")
        assert dict(few) == {number: key for number, key in zip(numbers, expected, strict=True) if number < 900}


@pytest.mark.parametrize("seed", [0, 12345, -1])
@pytest.mark.parametrize("rows", [2**62, 2**31])
def test_keys_worked_out_step_by_step_are_the_same(postgresql, seed, rows):
    numbers = [number for number in (0, 1, 5, 2**31 - 1, 2**31, 2**45 + 3) if number < rows]
    with open_query(postgresql.address, "select 1 as a") as scan:
        listed = ", ".join(f"({number}::bigint)" for number in numbers)
        source, key = keyed_sql(f"(values {listed}) as q (n)", "q.n", seed, rows, 'k"')
        found = scan.database.ask(f"select n, {key} from {source}")
    assert found == [(number, int(row_keys(number, 1, seed)[0])) for number in numbers]


@pytest.mark.parametrize("offset", [0.0, 1e9])
def test_sums_of_products_are_numpys_whatever_the_offset_and_however_many_queries_they_take(place, offset):
    random = np.random.default_rng(4)
    columns = 56  # and the constant: 1653 sums
    X = random.standard_normal((400, columns)) * np.geomspace(1e-3, 1e3, columns) + offset
    place.fill(
        "t", {f"x{i}": "real" for i in range(columns)} | {"w": "int"}, [(*row, i) for i, row in enumerate(X.tolist())]
    )
    assert (columns + 1) * (columns + 2) // 2 > SUMS
    with open_query(place.address, "select * from t") as scan:
        wanted = [(f"x{i}", expression_sql(Name(f"x{i}"), place.dialect), offset) for i in range(columns)]
        found, counts = gram(scan.database, [("one", "1", 0.0), *wanted], 'q."w" < 300')
    Z = np.column_stack([np.ones(300), X[:300] - offset])
    lengths = np.sqrt((Z**2).sum(axis=0))
    assert (np.abs(found - Z.T @ Z) <= 1e-12 * np.outer(lengths, lengths)).all()
    assert (counts.rows, counts.gaps) == (300, 0)


def test_rows_without_a_value_are_counted(place):
    place.fill("t", {"x": "real", "z": "real"}, [(1, 1), (None, 1), (0, 2), (3, None), (None, None)])
    with open_query(place.address, "select * from t") as scan:
        wanted = [("one", "1", 0.0)]
        wanted += [(text, expression_sql(expression_of(text), place.dialect), 0.0) for text in ("I(log(x))",)]
        assert gram(scan.database, wanted)[1].gaps == 3
        assert gram(scan.database, wanted[:1])[1].rows == 5
        sums, counts = gram(scan.database, wanted, "false")
        assert (counts.rows, counts.gaps, sums.tolist()) == (0, 0, [[0.0, 0.0], [0.0, 0.0]])


PUSHED = [
    ("y ~ a + k", {}),
    ("y ~ a*g + C(k) + log(b)", {}),
    ("y ~ a + I(b**2 / (1 + b)) + poly(b, 3, raw=True)", {"layered": True}),
    ("log(y + 1) ~ a:g + t + C(k):t", {}),
    ("y + b ~ 0 + g", {"share": None}),
    ("y ~ 1", {"share": 0.0}),
    ("y ~ a + m", {"missing": "mean"}),
    ("y ~ g + m", {"missing": "drop", "layered": True}),
    ("m ~ g:k + I(t * 2)", {"missing": "drop"}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("formula", "settings"), PUSHED)
def test_a_survey_pushed_down_is_the_one_that_reads_the_rows(place, formula, settings):
    filled(place)
    with open_query(place.address, "select * from t") as scan:
        if place.dialect == "sqlite" and "I(t" in formula:
            assert scan.head.kind("t") == "number"
        plan = plan_of(scan, formula, **settings)
        pushed = survey_in_database(scan, plan)
        assert pushed is not None
        assert_same(pushed, streamed(scan, plan))
        if settings.get("missing") == "drop":
            assert pushed.dropped > 0


def test_missing_words_are_dropped_by_the_same_rule(place):
    filled(place, words=WORDS)
    with open_query(place.address, "select * from t order by b") as scan:
        plan = plan_of(scan, "y ~ g + a", "drop")
        pushed = survey_in_database(scan, plan)
        assert_same(pushed, streamed(scan, plan))
        assert sorted(pushed.levels["g"]) == sorted({word.strip() for word in WORDS if word not in (None, "NA")})
        assert survey_in_database(scan, plan_of(scan, "y ~ g + a")) is None
    assert place.ask("select count(*) from t") == [(6000,)]


def test_a_level_that_only_rows_with_a_gap_have_is_none(place):
    rows = [(number, float(number % 7), "uv"[number % 2]) for number in range(100)] + [(100, None, "w")]
    place.fill("t", {"y": "int", "m": "real", "g": "text"}, rows)
    with open_query(place.address, "select * from t") as scan:
        plan = plan_of(scan, "y ~ m + g", "drop")
        assert_same(survey_in_database(scan, plan), streamed(scan, plan))


def test_levels_that_a_collation_takes_for_one_are_two(sqlite):
    rows = [(number, ["a", "A", 1, "1", 1.0, "á"][number % 6]) for number in range(60)]
    sqlite.fill("t", {"y": "int", "g": "collate nocase"}, rows)
    with open_query(sqlite.address, "select * from t") as scan:
        plan = plan_of(scan, "y ~ g", share=0.2)
        pushed = survey_in_database(scan, plan)
        assert sorted(pushed.levels["g"]) == ["1", "A", "a", "á"]
        assert_same(pushed, streamed(scan, plan))


@pytest.mark.slow
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8),
    words=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), min_size=2, max_size=8),
)
def test_no_name_and_no_level_is_taken_for_sql(sqlite, name, words):
    name = name if name.lower() != "y" else "z"
    sqlite.run("drop table if exists t")
    sqlite.fill("t", {"y": "int", name: "text"}, [(number, words[number % len(words)]) for number in range(50)])
    with open_query(sqlite.address, "select * from t") as scan:
        plan = plan_of(scan, Hypothesis("", (Name("y"),), ((Category(Name(plain_name(name))),),), True), "drop")
        pushed = survey_in_database(scan, plan)
        if pushed is None:
            assert not any(table.labels(plain_name(name)).drop_nulls().len() for table in [scan.head])
        else:
            assert_same(pushed, streamed(scan, plan))
    assert sqlite.ask("select count(*) from t") == [(50,)]


NOT_PUSHED = [
    ("y ~ log(k)", {}),
    ("y ~ m", {}),
    ("y ~ exp(a)", {}),
    ("m ~ a", {"missing": "mean"}),
    ("y ~ C(b)", {}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("formula", "settings"), NOT_PUSHED)
def test_where_something_is_wrong_with_a_row_the_rows_are_to_be_read(place, formula, settings):
    filled(place)
    with open_query(place.address, "select * from t") as scan:
        assert survey_in_database(scan, plan_of(scan, formula, **settings)) is None
        assert survey_in_database(scan, plan_of(scan, "y ~ a")) is not None  # and the database goes on
        assert sum(part.rows for part in scan.parts(["y"])) == 6000


def test_a_gap_in_a_row_that_is_held_back_is_seen(place):
    keys = row_keys(0, 1000, 3)
    held = int(np.argmin(keys))
    rows = [(number, None if number == held else 1.0 + number % 3) for number in range(1000)]
    place.fill("t", {"y": "int", "x": "real"}, rows)
    with open_query(place.address, "select * from t") as scan:
        assert keys[held] < plan_of(scan, "y ~ x").draw.held < KEYS
        assert survey_in_database(scan, plan_of(scan, "y ~ x")) is None


@pytest.mark.parametrize("find", [np.argmin, np.argmax])
def test_a_text_among_sqlites_numbers_is_not_taken_for_0_even_in_a_row_that_is_held_back(sqlite, find):
    strange = 15_000 + int(find(row_keys(15_000, 5_000, 3)))
    sqlite.fill("t", {"y": "int", "x": ""}, [(n, "many" if n == strange else n) for n in range(20_000)])
    with open_query(sqlite.address, "select * from t") as scan:
        assert survey_in_database(scan, plan_of(scan, "y ~ x")) is None
        assert survey_in_database(scan, plan_of(scan, "y ~ x", "drop")) is None


def test_postgresqls_nan_is_missing(postgresql):
    fitted = int(np.argmax(row_keys(0, 1000, 3)))
    rows = [(number, math.nan if number == fitted else float(number)) for number in range(1000)]
    postgresql.fill("t", {"y": "int", "x": "real"}, rows)
    with open_query(postgresql.address, "select * from t") as scan:
        plan = plan_of(scan, "y ~ x", "drop")
        assert_same(survey_in_database(scan, plan), streamed(scan, plan))
        assert survey_in_database(scan, plan).dropped == 1
        assert survey_in_database(scan, plan_of(scan, "y ~ x")) is None


@pytest.mark.parametrize("find", [np.argmin, np.argmax])
def test_an_infinite_number_is_seen_even_in_a_row_that_is_held_back(place, find):
    strange = int(find(row_keys(0, 1000, 3)))
    rows = [(number, -math.inf if number == strange else float(number)) for number in range(1000)]
    place.fill("t", {"y": "int", "x": "real"}, rows)
    with open_query(place.address, "select * from t") as scan:
        assert survey_in_database(scan, plan_of(scan, "y ~ x")) is None
        assert survey_in_database(scan, plan_of(scan, "y ~ x", "drop")) is None


def test_what_has_no_sql_is_not_pushed_down(place):
    filled(place, 100)
    with open_query(place.address, "select * from t") as scan:
        plan = plan_of(scan, "y ~ a")
        classes = Plan(plan.hypothesis, plan.uses, {"y": "category"}, None, plan.draw)
        assert survey_in_database(scan, classes) is None
        hypothesis = Hypothesis("", (Name("y"),), ((Poly(Name("b"), 2),),), True)
        orthogonal = PolyCode(Name("b"), 2, "poly(b, 2)", 1.0, 2.0, (0.0, 0.0), (1.0, 2.0, 3.0))
        assert survey_in_database(scan, plan_of(scan, hypothesis, polys={"poly(b, 2)": orthogonal})) is None
        wide = Hypothesis(
            "",
            (Name("y"),),
            tuple((Arithmetic(Operation("*", Name("a"), Number(float(i)))),) for i in range(130)),
            True,
        )
        assert survey_in_database(scan, plan_of(scan, wide)) is None


def test_a_connection_lost_in_a_survey_is_told(postgresql):
    filled(postgresql, 100)
    with open_query(postgresql.address, "select * from t") as scan:
        ended = "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'descend'"
        assert postgresql.ask(ended) == [(True,)]
        with pytest.raises(TableError) as caught:
            survey_in_database(scan, plan_of(scan, "y ~ a"))
        assert caught.value.code == "table.query-lost"


def test_cells_are_compared_as_what_they_are():
    assert value_sql(True, "postgresql") == "'true'"
    assert value_sql(math.inf, "sqlite") == "9e999"
    assert value_sql(b"\xff", "sqlite") == "x'ff'"
