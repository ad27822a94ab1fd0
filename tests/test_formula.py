"""The formula language: what a formula means, where an error points, and that nothing in it is ever run."""

import builtins
import unicodedata

import pytest

from descend import FormulaError, parse
from descend.base.errors import pointer
from descend.formula.ast import Apply, Arithmetic, Category, Name, Number, Operation, Poly, label

COLUMNS = ("y", "x", "z", "a", "b", "c", "g", "score", "hours")


def meaning(formula, columns=COLUMNS):
    """The terms of a formula as text, and whether there is an intercept."""
    hypothesis = parse(formula).resolve(columns)
    return [label(term) for term in hypothesis.terms], hypothesis.intercept


def refused(formula, columns=COLUMNS):
    """The error that a formula gives, on parsing or on resolving."""
    with pytest.raises(FormulaError) as caught:
        parse(formula).resolve(columns)
    return caught.value


def factor(formula, columns=COLUMNS):
    """The only factor of the only term."""
    ((only,),) = parse(formula).resolve(columns).terms
    return only


# what a formula means


@pytest.mark.parametrize(
    ("right", "terms", "intercept"),
    [
        ("x", ["x"], True),
        ("1", [], True),
        ("x + z", ["x", "z"], True),
        ("z + x", ["z", "x"], True),
        ("x + x", ["x"], True),
        ("0 + x", ["x"], False),
        ("x + 0", ["x"], False),
        ("x - 1", ["x"], False),
        ("-1 + x", ["x"], False),
        ("x − 1", ["x"], False),  # the typographer's minus sign
        ("x - 0", ["x"], True),
        ("0 + x + 1", ["x"], True),
        ("x + z - z", ["x"], True),
        ("a:b", ["a:b"], True),
        ("a:b + b:a", ["a:b"], True),
        ("b:a + a:b", ["b:a"], True),
        ("a:a", ["a"], True),
        ("a*b", ["a", "b", "a:b"], True),
        ("a*a", ["a"], True),
        ("a*b*c", ["a", "b", "c", "a:b", "a:c", "b:c", "a:b:c"], True),
        ("a*b - a:b", ["a", "b"], True),
        ("a*b - a", ["b", "a:b"], True),
        ("a*b + x", ["a", "b", "x", "a:b"], True),
        ("a:b + x", ["x", "a:b"], True),
        ("a + b:c", ["a", "b:c"], True),
        ("a*b:c", ["a", "b:c", "a:b:c"], True),
        ("(a + b):c", ["a:c", "b:c"], True),
        ("(a + b)*c", ["a", "b", "c", "a:c", "b:c"], True),
        ("(a + b)^1", ["a", "b"], True),
        ("(a + b)^2", ["a", "b", "a:b"], True),
        ("(a + b)**2", ["a", "b", "a:b"], True),
        ("(a + b + c)^2", ["a", "b", "c", "a:b", "a:c", "b:c"], True),
        ("(a + b + c)^3", ["a", "b", "c", "a:b", "a:c", "b:c", "a:b:c"], True),
        ("(a + b + c)^2 - b:c", ["a", "b", "c", "a:b", "a:c"], True),
        ("(((x)))", ["x"], True),
        ("0 + (a + b)^2", ["a", "b", "a:b"], False),
        ("log(x)", ["log(x)"], True),
        ("log(x):g", ["log(x):g"], True),
        ("poly(x, 3)*g", ["poly(x, 3)", "g", "poly(x, 3):g"], True),
        ("C(g)", ["C(g)"], True),
        ("I(x)", ["x"], True),
    ],
)
def test_the_right_side_stands_for_these_terms(right, terms, intercept):
    assert meaning(f"y ~ {right}") == (terms, intercept)


@pytest.mark.parametrize(
    ("right", "terms"),
    [
        (".", ["p", "q", "r"]),
        (". - q", ["p", "r"]),
        (". - p - q", ["r"]),
        (". - (p + q)", ["r"]),
        (". + p:q", ["p", "q", "r", "p:q"]),
        ("q + .", ["q", "p", "r"]),
        (".:p", ["p", "q:p", "r:p"]),
        ("(.)^2", ["p", "q", "r", "p:q", "p:r", "q:r"]),
        ("(.)^2 - p:q - r", ["p", "q", "p:r", "q:r"]),
    ],
)
def test_a_dot_stands_for_every_column_that_is_no_target(right, terms):
    assert meaning(f"y ~ {right}", ["p", "q", "y", "r"]) == (terms, True)


def test_a_dot_leaves_out_every_column_under_a_target():
    assert meaning("log(y) + z ~ .", ["x", "y", "z", "g"]) == (["x", "g"], True)


def test_several_targets_are_joined_by_plus():
    hypothesis = parse("y + log(z) + 2 * a ~ x").resolve(COLUMNS)
    assert [str(target) for target in hypothesis.targets] == ["y", "log(z)", "2 * a"]
    assert [name.name for name in hypothesis.outputs] == ["y", "z", "a"]
    assert [name.name for name in hypothesis.inputs] == ["x"]


def test_inputs_are_named_once_in_the_order_of_their_first_use():
    hypothesis = parse("y ~ b:a + log(x) + poly(a + z, 2) + C(g)").resolve(COLUMNS)
    assert [name.name for name in hypothesis.inputs] == ["x", "a", "z", "g", "b"]


def test_spaces_and_line_breaks_mean_nothing():
    assert meaning("y~a*b+poly(x,2,raw=True)") == meaning(" y\t~ a * b\n+ poly( x , 2 , raw = True ) ")


def test_a_formula_is_told_as_it_was_written():
    assert str(parse("y ~  x+z")) == "y ~  x+z"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("poly(x, 3)", Poly(Name("x"), 3)),
        ("poly(x, 3, raw=True)", Poly(Name("x"), 3, raw=True)),
        ("poly(x, 3, raw=False)", Poly(Name("x"), 3)),
        ("poly(log(x), 2)", Poly(Apply("log", Name("x")), 2)),
        ("poly(x / 10, 2)", Poly(Operation("/", Name("x"), Number(10.0)), 2)),
        ("C(g)", Category(Name("g"))),
        ("I(x**2)", Arithmetic(Operation("**", Name("x"), Number(2.0)))),
        ("I(x^2)", Arithmetic(Operation("**", Name("x"), Number(2.0)))),
        ("log(x + 1)", Arithmetic(Apply("log", Operation("+", Name("x"), Number(1.0))))),
        ("I(-x)", Arithmetic(Operation("-", None, Name("x")))),
        ("I(x / 1.5e-3)", Arithmetic(Operation("/", Name("x"), Number(0.0015)))),
        ("I(.5 * x)", Arithmetic(Operation("*", Number(0.5), Name("x")))),
        ("I(2. * x)", Arithmetic(Operation("*", Number(2.0), Name("x")))),
    ],
)
def test_a_factor_is_read_as_this_tree(written, expected):
    assert factor(f"y ~ {written}") == expected


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a + b * c", "a + (b * c)"),
        ("a - b - c", "(a - b) - c"),
        ("a / b / c", "(a / b) / c"),
        ("a / b * c", "(a / b) * c"),
        ("-a**2", "-(a**2)"),
        ("-a * b", "(-a) * b"),
        ("2**-a", "2**(-a)"),
        ("2**a**b", "2**(a**b)"),
        ("a - -b", "a - (-b)"),
        ("a ^ b", "a ** b"),
        ("a − b", "a - b"),
        ("-x**2 / 2", "(-(x**2)) / 2"),
    ],
)
def test_arithmetic_binds_as_in_python(written, meant):
    assert factor(f"y ~ I({written})") == factor(f"y ~ I({meant})")


@pytest.mark.parametrize(
    "written",
    [
        "x",
        "점수",
        "log(x)",
        "I(x**2)",
        "I((a + b) * c)",
        "I(a / (b * c))",
        "I(-x)",
        "I((-a)**2)",
        "I(2**(-a))",
        "C(g)",
        "poly(x, 2)",
        "poly(x, 3, raw=True)",
        "poly(log(x), 2)",
        "sqrt(x / 2)",
        "a:b:log(c)",
        "I(x * 1.5e-07)",
    ],
)
def test_a_term_is_printed_as_it_is_written(written):
    assert meaning(f"y ~ {written}", [*COLUMNS, "점수"]) == ([written], True)


@pytest.mark.parametrize("name", ["log", "poly", "C", "I", "raw", "True", "lambda", "import", "None"])
def test_a_word_of_the_language_without_a_parenthesis_is_a_column(name):
    assert meaning(f"y ~ {name}", ["y", name]) == ([name], True)


@pytest.mark.parametrize(
    "name",
    [
        "점수",
        "공부_시간",
        "цена",
        "μ",
        "température",
        "दाम",
        "价格",
        "年齢2",
        "السعر",
        "ราคา",
        "_x1",
        "Sepal.Length",
        "v1.2.b",
    ],
)
def test_a_name_may_be_in_any_script_and_hold_dots(name):
    assert meaning(f"y ~ {name} + log({name}) + C({name}):y2", ["y", "y2", name]) == (
        [name, f"log({name})", f"C({name}):y2"],
        True,
    )
    assert meaning(f"{name} ~ y", ["y", name]) == (["y"], True)


@pytest.mark.parametrize(
    "name", ["my column", "a+b", "2nd", "x ~ y", "무게 (kg)", "~", "a:b", "#", "{0}", "'q'", "()", "."]
)
def test_any_name_may_be_written_in_backticks(name):
    hypothesis = parse(f"y ~ x + log(`{name}`)").resolve(["y", "x", name])
    assert [found.name for found in hypothesis.inputs] == ["x", name]
    assert hypothesis.terms[1] == (Arithmetic(Apply("log", Name(name))),)


def test_a_name_in_backticks_is_never_a_function():
    assert refused("y ~ `log`(x)", ["y", "x", "log"]).code == "formula.unexpected"


@pytest.mark.parametrize("name", ["my column", "~", "+", "log"])
def test_a_target_may_be_written_in_backticks(name):
    assert [found.name for found in parse(f"`{name}` ~ x").resolve([name, "x"]).outputs] == [name]


# errors point at the place that is meant


@pytest.mark.parametrize(
    ("formula", "caret", "code", "values"),
    [
        ("", "^", "formula.empty", {}),
        ("   ", "   ^", "formula.empty", {}),
        ("score hours", "           ^", "formula.no-tilde", {}),
        ("~ x", "^", "formula.no-target", {}),
        ("y ~", "   ^", "formula.no-terms", {}),
        ("y ~ x ~ z", "      ^", "formula.second-tilde", {"found": "~"}),
        ("y ~ x z", "      ^", "formula.unexpected", {"found": "z"}),
        ("y ~ x)", "     ^", "formula.unexpected", {"found": ")"}),
        ("y ~ (x + z", "          ^", "formula.unfinished", {"expected": ")"}),
        ("y ~ log(x", "         ^", "formula.unfinished", {"expected": ")"}),
        ("y ~ x +", "       ^", "formula.unfinished", {}),
        ("y ~ x + * z", "        ^", "formula.expected", {"found": "*"}),
        ("y ~ x ++ z", "       ^", "formula.expected", {"found": "+"}),
        ("y ~ ()", "     ^", "formula.expected", {"found": ")"}),
        ("y ~ C()", "      ^", "formula.expected", {"found": ")"}),
        ("y ~ C(a + b)", "        ^", "formula.expected", {"expected": ")", "found": "+"}),
        ("y ~ log(x, 2)", "         ^", "formula.expected", {"expected": ")", "found": ","}),
        ("y ~ log()", "        ^", "formula.expected", {"found": ")"}),
        ("y z ~ x", "  ^", "formula.expected", {"expected": "~", "found": "z"}),
        ("y - z ~ x", "  ^", "formula.expected", {"expected": "~", "found": "-"}),
        ("y ~ x $ z", "      ^", "formula.character", {"found": "$"}),
        ("y ~ x \x07 z", "      ^", "formula.character", {"found": r"'\x07'"}),
        ("y ~ x | g", "      ^", "formula.character", {"found": "|"}),
        ("y ~ `my column", "    ^", "formula.open-backtick", {}),
        ("y ~ x + ` `", "        ^", "formula.empty-name", {}),
        ("y ~ 2", "    ^", "formula.number", {"found": "2"}),
        ("y ~ x + 1.5", "        ^", "formula.number", {"found": "1.5"}),
        ("y ~ 2 * x", "    ^", "formula.number", {"found": "2"}),
        ("y ~ x * 1", "        ^", "formula.number", {"found": "1"}),
        ("y ~ 0:x", "    ^", "formula.number", {"found": "0"}),
        ("y ~ x / z", "      ^", "formula.division", {}),
        ("y ~ x^2", "     ^", "formula.power-of-one", {"name": "x"}),
        ("y ~ x + log(z)**2", "              ^", "formula.power-of-one", {"name": "log(z)"}),
        ("y ~ .^2", "     ^", "formula.power-of-one", {"name": "."}),
        ("y ~ (a + b)^0", "            ^", "formula.degree", {"found": "0", "least": 1, "most": 20}),
        ("y ~ (a + b)^21", "            ^", "formula.degree", {"found": "21"}),
        ("y ~ (a + b)^x", "            ^", "formula.degree", {"found": "x"}),
        ("y ~ (a + b)^-1", "            ^", "formula.degree", {"found": "-"}),
        ("y ~ poly(x, 0)", "            ^", "formula.degree", {"found": "0"}),
        ("y ~ poly(x, 2.5)", "            ^", "formula.degree", {"found": "2.5"}),
        ("y ~ poly(x, z)", "            ^", "formula.degree", {"found": "z"}),
        ("y ~ poly(x)", "          ^", "formula.expected", {"expected": ",", "found": ")"}),
        ("y ~ poly(x, 2, 3)", "               ^", "formula.expected", {"expected": "raw=True", "found": "3"}),
        ("y ~ poly(x, 2, raw)", "                  ^", "formula.expected", {"expected": "=", "found": ")"}),
        (
            "y ~ poly(x, 2, raw=1)",
            "                   ^",
            "formula.expected",
            {"expected": "True", "found": "1"},
        ),
        ("y ~ poly(2, 2)", "         ^", "formula.term-without-column", {}),
        ("y ~ x + log(2)", "        ^", "formula.term-without-column", {}),
        ("y ~ x + I(1 + 1)", "        ^", "formula.term-without-column", {}),
        ("1 ~ x", "^", "formula.target-without-column", {}),
        ("y + 2 * 3 ~ x", "    ^", "formula.target-without-column", {}),
        ("y ~ x + lag(z)", "        ^", "formula.function-near", {"found": "lag", "near": "log"}),
        ("y ~ sqr(x)", "    ^", "formula.function-near", {"found": "sqr", "near": "sqrt"}),
        ("y ~ I(zzz(x))", "      ^", "formula.function", {"found": "zzz", "near": ""}),
        ("y ~ x + y", "        ^", "formula.target-on-right", {"found": "y"}),
        ("log(y) ~ x + sqrt(y)", "                  ^", "formula.target-on-right", {"found": "y"}),
        ("y ~ 0", "     ^", "formula.nothing", {}),
        ("y ~ x - x - 1", "             ^", "formula.nothing", {}),
        ("nope ~ x", "^", "formula.unknown-column", {"found": "nope"}),
        ("y ~ x + I(z * qqqq)", "              ^", "formula.unknown-column", {"found": "qqqq"}),
    ],
)
def test_an_error_points_at_its_place(formula, caret, code, values):
    error = refused(formula)
    assert error.code == code
    assert error.values["position"] == len(caret) - 1
    assert error.values["text"] == formula
    assert {key: error.values.get(key) for key in values} == values
    assert error.caret.splitlines()[1] == f"  {caret}"
    assert error.caret in str(error)


def test_the_caret_stands_under_the_place_after_wide_letters():
    error = refused("점수 ~ 공부시간 + 나리", ["점수", "공부시간", "나이"])
    first, second = error.caret.splitlines()
    assert first == "  점수 ~ 공부시간 + 나리"
    assert second == "  " + " " * (4 + 3 + 8 + 3) + "^"  # 점수, " ~ ", 공부시간, " + "
    assert error.values["position"] == 12


def test_full_width_letters_take_two_cells_and_accented_ones_take_one():
    assert pointer("价格é ~ x", 6).splitlines()[1] == "  " + " " * (2 + 2 + 1 + 3) + "^"


def test_a_combining_mark_takes_no_cell():
    decomposed = "e\u0301 ~ $"
    assert refused(decomposed).values["position"] == 5
    assert refused(decomposed).caret.splitlines()[1] == "  " + " " * 4 + "^"


def test_hangul_written_as_separate_letters_takes_the_cells_of_its_syllables():
    """As file names and cells from macOS are: a terminal draws the letters of a syllable in its two cells."""
    decomposed = unicodedata.normalize("NFD", "점수") + " ~ $"
    assert len(decomposed) == 5 + 4
    assert refused(decomposed).caret.splitlines()[1] == "  " + " " * (4 + 3) + "^"


def test_the_caret_is_kept_in_view_in_a_long_formula():
    formula = "y ~ " + " + ".join(["x"] * 100) + " + $ + " + " + ".join(["z"] * 100)
    error = refused(formula)
    window, caret = error.caret.splitlines()
    assert error.values["position"] == formula.index("$")
    assert window[caret.index("^")] == "$"
    assert len(window) <= 102


def test_a_line_break_does_not_break_the_caret():
    window, caret = refused("y ~ x\n + $").caret.splitlines()
    assert window[caret.index("^")] == "$"


@pytest.mark.parametrize(
    ("formula", "found", "near"),
    [
        ("score ~ huors", "huors", "hours"),
        ("score ~ Hours", "Hours", "hours"),
        ("score ~ log(hour)", "hour", "hours"),
        ("scores ~ hours", "scores", "score"),
        ("score ~ 나이 + 공부시", "공부시", "공부시간"),
    ],
)
def test_an_unknown_column_suggests_a_near_one(formula, found, near):
    error = refused(formula, ["score", "hours", "나이", "공부시간"])
    assert error.code == "formula.unknown-column-near"
    assert (error.values["found"], error.values["near"]) == (found, near)
    assert error.values["position"] == formula.index(found)
    assert near in error.hint()
    assert near in error.hint("ko")


def test_an_unknown_column_tells_what_the_table_has():
    error = refused("y ~ qqqq", ["y", "x"])
    assert error.code == "formula.unknown-column"
    assert error.values["known"] == "y, x"


def test_of_many_columns_twelve_are_named_and_the_rest_counted():
    error = refused("y ~ qqqq", ["y", *(f"x{i}" for i in range(30))])
    assert error.values["known"] == "y, " + ", ".join(f"x{i}" for i in range(11)) + ", … (31)"


def test_the_first_of_several_uses_is_pointed_at():
    assert refused("y ~ x + qqqq + log(qqqq)").values["position"] == 8


@pytest.mark.parametrize("formula", ["y ~ . - huors", "y ~ x + z - huors", "y ~ x - log(huors)"])
def test_an_unknown_column_is_told_where_it_is_taken_out_too(formula):
    error = refused(formula)
    assert error.code == "formula.unknown-column-near"
    assert error.values["position"] == formula.index("huors")
    assert error.values["near"] == "hours"


def test_only_text_is_a_formula():
    error = refused(3)
    assert (error.code, error.values["found"]) == ("formula.not-text", "int")


@pytest.mark.parametrize("formula", ["y ~ log(poly(x, 2))", "y ~ log(C(g))", "poly(y, 2) ~ x", "C(g) ~ x"])
def test_a_function_that_is_named_as_missing_is_not_listed_as_known(formula):
    error = refused(formula)
    assert error.code == "formula.function"
    assert error.values["found"] not in error.values["known"].split(", ")


def test_arithmetic_may_be_marked_as_such_anywhere():
    assert parse("I(y * 2) ~ x").targets == parse("y * 2 ~ x").targets
    assert factor("y ~ log(I(x / 2))") == factor("y ~ log(x / 2)")


@pytest.mark.parametrize("formula", ["y ~ poly(x,", "y ~ poly(x, 2,", "y ~ poly(x, 2, raw=", "y ~ (a + b)^"])
def test_a_formula_that_stops_short_is_called_unfinished(formula):
    error = refused(formula)
    assert (error.code, error.values["position"]) == ("formula.unfinished", len(formula))


@pytest.mark.parametrize("formula", ["y ~ (1 + a):b", "y ~ (1):b"])
def test_a_constant_inside_a_product_is_refused_in_parentheses_too(formula):
    """``1:b`` is refused; in parentheses the 1 must not make ``b`` vanish without a word."""
    error = refused(formula)
    assert (error.code, error.values["found"]) == ("formula.number", "1")


# limits


def test_a_formula_may_not_be_longer_than_the_limit():
    formula = "y ~ x" + " " * 20_000
    error = refused(formula)
    assert (error.code, error.values["limit"]) == ("formula.too-long", 20_000)


@pytest.mark.parametrize(
    "inner",
    [
        "(" * 200 + "x" + ")" * 200,
        "log(" * 200 + "x" + ")" * 200,
        "I(" + "(" * 200 + "x" + ")" * 200 + ")",
        "I(" + "-" * 200 + "x)",
        "poly(" + "sqrt(" * 200 + "x" + ")" * 200 + ", 2)",
        "(a + " * 200 + "x" + ")" * 200,
        "(" * 9000,
    ],
    ids=["parentheses", "functions", "arithmetic", "minus", "poly", "sums", "open"],
)
def test_nesting_is_limited(inner):
    error = refused(f"y ~ {inner}")
    assert (error.code, error.values["limit"]) == ("formula.too-deep", 60)


@pytest.mark.parametrize("operator", ["+", "-", "*", "/"])
def test_a_chain_of_arithmetic_is_limited(operator):
    error = refused("y ~ I(" + f" {operator} ".join(["x"] * 1000) + ")")
    assert (error.code, error.values["limit"]) == ("formula.too-deep", 200)


def test_many_terms_may_each_hold_some_arithmetic():
    assert len(meaning("y ~ " + " + ".join(f"I(x + {i})" for i in range(300)))[0]) == 300


def test_a_tower_of_powers_is_limited():
    assert refused("y ~ I(" + "**".join(["x"] * 1000) + ")").code == "formula.too-deep"


def test_the_number_of_terms_is_limited():
    columns = ["y", *(f"x{i}" for i in range(100))]
    error = refused("y ~ (.)^3", columns)
    assert error.code == "formula.too-many-terms"
    assert (error.values["limit"], error.values["position"]) == (2000, 7)


def test_a_thousand_columns_may_be_added():
    names = [f"x{i}" for i in range(1000)]
    assert meaning("y ~ " + " + ".join(names), ["y", *names]) == (names, True)


def test_a_square_with_fewer_terms_than_the_limit_is_accepted():
    columns = ["y", *(f"x{i}" for i in range(50))]
    assert len(meaning("y ~ (.)^2", columns)[0]) == 50 + 50 * 49 // 2


def test_a_degree_of_thousands_of_digits_is_an_error_at_its_place():
    error = refused("y ~ poly(x, " + "9" * 5000 + ")")
    assert (error.code, error.values["position"]) == ("formula.degree", 12)


@pytest.mark.parametrize(
    "right",
    [
        "*".join("abcdefghij"[i % 10] for i in range(1000)),
        "(" + "a+" * 2500 + "a)" + "*b" * 2500,
        "+".join(["(a*b*c*d*e)^20"] * 300),
        "+".join(["(w.1+.)^2"] * 300),
        "+".join(["."] * 1500),
    ],
    ids=["products", "sum-times", "powers", "squares", "dots"],
)
def test_a_formula_that_asks_for_too_much_work_hits_a_limit(right):
    """A formula may come from a web page."""
    columns = ["y", *"abcdefghij", *(f"w.{i}" for i in range(1000 if right.startswith(".") else 50))]
    with pytest.raises(FormulaError) as error:
        parse(f"y ~ {right}").resolve(columns)
    assert error.value.code in ("formula.too-many-terms", "formula.too-deep")


def test_powers_of_powers_of_five_columns_are_their_31_products():
    formula = "y ~ " + "(" * 50 + "a*b*c*d*e" + ")^20" * 50
    assert len(parse(formula).resolve(["y", *"abcde"]).terms) == 31


# nothing is ever evaluated


@pytest.mark.parametrize(
    ("attack", "code", "at"),
    [
        ("__import__('os').system('touch {file}')", "formula.character", "'"),
        ("__import__(os)", "formula.function", "__import__"),
        ("eval(x)", "formula.function", "eval"),
        ("exec(x)", "formula.function", "exec"),
        ("open(x)", "formula.function", "open"),
        ("getattr(x, y)", "formula.function", "getattr"),
        ('open("{file}", "w")', "formula.character", '"'),
        ("lambda: x", "formula.unknown-column", "lambda"),
        ("(lambda x: x)(x)", "formula.expected", "x:"),
        ("I(lambda x: x)", "formula.expected", "x:"),
        ("x.__class__()", "formula.function", "x.__class__"),
        ("x.values.tofile(z)", "formula.function", "x.values.tofile"),
        ("log(x).real", "formula.unexpected", ".real"),
        ("(x).real", "formula.unexpected", ".real"),
        ("x[0]", "formula.character", "["),
        ("[x for x in z]", "formula.character", "["),
        ("{{x}}", "formula.character", "{"),
        ("{{__import__('os')}}", "formula.character", "{"),
        ("f'{{x}}'", "formula.character", "'"),
        ("(x := 1)", "formula.expected", "= 1"),
        ("I(x := z)", "formula.expected", ":="),
        ("I(x if z else a)", "formula.expected", "if"),
        ("I(x or z)", "formula.expected", "or"),
        ("I(x == z)", "formula.expected", "=="),
        ("I(x @ z)", "formula.character", "@"),
        ("I(x // z)", "formula.expected", "/ z"),
        ("I(x % z)", "formula.character", "%"),
        ("I(x; z)", "formula.character", ";"),
        ("I(not x)", "formula.expected", "x)"),
        ("I(*x)", "formula.expected", "*x"),
        ("log(x=z)", "formula.expected", "="),
        ("poly(x, degree=2)", "formula.degree", "degree"),
        ("poly(x, 2, raw=exec)", "formula.expected", "exec"),
        ("x\\\nz", "formula.character", "\\"),
        ("x # z", "formula.character", "#"),
        ("x; z", "formula.character", ";"),
        ("${{x}}", "formula.character", "$"),
        ("%(x)s", "formula.character", "%"),
        ("!x", "formula.character", "!"),
    ],
)
@pytest.mark.parametrize("side", ["left", "right"])
def test_code_in_a_formula_is_refused_and_never_run(attack, code, at, side, tmp_path, monkeypatch):
    file = tmp_path / "written"
    attack = attack.format(file=file)
    ran = []
    formula = f"y ~ {attack}" if side == "right" else f"{attack} ~ x"
    with monkeypatch.context() as patched:
        for name in ("eval", "exec", "compile", "open", "__import__"):
            patched.setattr(builtins, name, lambda *_, name=name, **__: ran.append(name))
        error = refused(formula)
    assert ran == []
    assert not file.exists()
    if side == "right":
        assert (error.code, error.values["position"]) == (code, formula.index(at, 4))


def test_code_in_backticks_is_only_the_name_of_a_column():
    name = "__import__('os').system('true')"
    assert refused(f"y ~ `{name}`").values["found"] == name
    assert parse(f"y ~ `{name}`").resolve(["y", name]).inputs == [Name(name)]


def test_a_message_with_braces_in_the_formula_is_told_as_it_stands():
    error = refused("y ~ `{0.__class__}`")
    assert "{0.__class__}" in str(error)
    assert "{0.__class__}" in error.tell("ko")
