"""The functions of the formula: ``log``, ``sqrt`` and the others, each with all that the program asks of it.

To add one, add a ``Function`` to ``FUNCTIONS`` here and a sentence ``[function] NAME`` in both languages.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from descend.base import double_functions as doubled
from descend.base.registry import Registry
from descend.formula._special_values import (
    error_function,
    error_function_inverse,
    error_function_slope,
    log_odds,
    logistic_both,
    logistic_second,
    logistic_slope,
    logistic_value,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from descend.base.double_double import Pair
    from descend.base.typing import Floats

EDGE = 2.0**-53  # from 1 to the largest float64 below it


@dataclass(frozen=True)
class Function:
    """A function of one number.

    value: its value for each number of an array; not finite where it is not defined.
    derivative: its derivative for each.
    second: its second derivative for each.
    exact: its value with twice the digits, of a number that has them (``base/double_functions.py``).
    both: its value and its derivative, where they have a part in common that is computed once.
    inverse: the number that has a given value; None where several numbers have it.
    low, high: the least and the greatest value that ``inverse`` takes.
    sql: its spelling by dialect, with ``{x}`` once for the argument. It is NULL where the function is not defined, and
        it never stops the query. Of a dialect that is not there the function has none, and the rows are read.
    sqlite: Python's form of the functions that the SQLite spelling calls, for an SQLite that was built without them.
    example: a term as it may be written.
    aliases: other names that are read as this one.
    undone_by: the function that is its inverse, where there is one.

    The sentence ``function.NAME`` says in a line what it is and which numbers it takes.

    >>> FUNCTIONS["sqrt"].undo(np.array([3.0, -1.0])).tolist()
    [9.0, 0.0]
    """

    name: str
    value: Callable[[Floats], Floats]
    derivative: Callable[[Floats], Floats]
    second: Callable[[Floats], Floats]
    exact: Callable[[Pair], Pair]
    both: Callable[[Floats], tuple[Floats, Floats]] | None = None
    inverse: Callable[[Floats], Floats] | None = None
    low: float = -math.inf
    high: float = math.inf
    sql: Mapping[str, str] = field(default_factory=dict)
    sqlite: Mapping[str, Callable[[float], float]] = field(default_factory=dict)
    example: str = ""
    aliases: tuple[str, ...] = ()
    undone_by: str = ""

    def value_and_derivative(self, x: Floats) -> tuple[Floats, Floats]:
        """Return both for each number of an array."""
        return (self.value(x), self.derivative(x)) if self.both is None else self.both(x)

    def undo(self, values: Floats) -> Floats:
        """Return the numbers that have these values; a value that there cannot be is taken to the nearest there is.

        Raises ValueError for a function without an inverse.
        """
        if self.inverse is None:
            raise ValueError(self.name)
        return self.inverse(np.clip(values, self.low, self.high))


FUNCTIONS: Registry[Function] = Registry("function")


def function_named(name: str) -> Function | None:
    """Return the function that is written so, None where there is none.

    >>> function_named("arctan").name, function_named("arctanh")
    ('atan', None)
    """
    return FUNCTIONS.get(name) or next((one for one in FUNCTIONS.values() if name in one.aliases), None)


def _exp_both(x: Floats) -> tuple[Floats, Floats]:
    value = np.exp(x)
    return value, value


def _sqrt_both(x: Floats) -> tuple[Floats, Floats]:
    value = np.sqrt(x)
    return value, np.asarray(0.5 / value)


def _softplus_sql(least: str, greatest: str) -> str:
    """Return log(1 + exp(x)) with x as it is where that is above 0, and a logarithm as that of ``log1p``."""
    small = f"exp(-{least}(abs(x), 700))"
    tail = "case when 1 + e = 1 then e else e * ln(1 + e) / ((1 + e) - 1) end"
    named = f"(select x, {small} as e from (select {{x}} as x limit 1) as v)"
    return f"(select case when x is not null then {greatest}(x, 0) + {tail} end from {named} as w)"


SIGMOID_SQL = (  # an exponential that is too small stops PostgreSQL
    "(select case when x >= 0 then 1 / (1 + exp(-{least}(x, 700))) when x > -700 then exp(x) / (1 + exp(x))"
    " when x is not null then 0.0 end from (select {{x}} as x limit 1) as v)"
)

# PostgreSQL stops at the logarithm of 0 or less and at the root of less than 0: there they are taken of NULL.
FUNCTIONS.add(
    Function(
        "log",
        value=np.log,
        derivative=np.reciprocal,
        second=lambda x: -1 / np.square(x),
        exact=doubled.exact_log,
        inverse=np.exp,
        sql={"postgresql": "ln(nullif(greatest({x}, 0), 0))", "sqlite": "ln({x})"},
        sqlite={"ln": math.log},
        example="log(price)",
        aliases=("ln",),
        undone_by="exp",
    )
)
FUNCTIONS.add(
    Function(
        "log1p",
        value=np.log1p,
        derivative=lambda x: 1 / (1 + x),
        second=lambda x: -1 / np.square(1 + x),
        exact=doubled.exact_log1p,
        inverse=np.expm1,
        # x log(u) / (u - 1) with u = 1 + x: the rounding of u cancels (Goldberg 1991, theorem 4)
        sql=dict.fromkeys(
            ("postgresql", "sqlite"),
            "(select case when 1 + x = 1 then x when x > -1 then x * ln(1 + x) / ((1 + x) - 1) end"
            " from (select {x} as x limit 1) as v)",
        ),
        sqlite={"ln": math.log},
        example="log1p(visits)",
    )
)
FUNCTIONS.add(
    Function(
        "log10",
        value=np.log10,
        derivative=lambda x: 1 / (x * math.log(10)),
        second=lambda x: -1 / (np.square(x) * math.log(10)),
        exact=doubled.exact_log10,
        inverse=lambda z: np.power(10.0, z),
        sql={"postgresql": "log(nullif(greatest({x}, 0), 0))", "sqlite": "log10({x})"},
        sqlite={"log10": math.log10},
        example="log10(income)",
    )
)
FUNCTIONS.add(
    Function(
        "log2",
        value=np.log2,
        derivative=lambda x: 1 / (x * math.log(2)),
        second=lambda x: -1 / (np.square(x) * math.log(2)),
        exact=doubled.exact_log2,
        inverse=np.exp2,
        sql={"postgresql": "(ln(nullif(greatest({x}, 0), 0)) / ln(2::float8))", "sqlite": "log2({x})"},
        sqlite={"log2": math.log2},
        example="log2(size)",
    )
)
FUNCTIONS.add(
    Function(
        "exp",
        value=np.exp,
        derivative=np.exp,
        second=np.exp,
        exact=doubled.exact_exp,
        both=_exp_both,
        inverse=np.log,
        low=np.finfo(np.float64).tiny,
        sql=dict.fromkeys(("postgresql", "sqlite"), "exp({x})"),
        sqlite={"exp": math.exp},
        example="exp(dose)",
        undone_by="log",
    )
)
FUNCTIONS.add(
    Function(
        "sqrt",
        value=np.sqrt,
        derivative=lambda x: 0.5 / np.sqrt(x),
        second=lambda x: -0.25 / (x * np.sqrt(x)),
        exact=doubled.exact_sqrt,
        both=_sqrt_both,
        inverse=np.square,
        low=0.0,
        sql={  # 5e-324 is the least number above 0
            "postgresql": "sqrt(nullif(greatest({x}, (-5e-324)::float8), (-5e-324)::float8))",
            "sqlite": "sqrt({x})",
        },
        sqlite={"sqrt": math.sqrt},
        example="sqrt(area)",
    )
)
FUNCTIONS.add(
    Function(
        "abs",
        value=np.abs,
        derivative=np.sign,
        second=np.zeros_like,
        exact=doubled.exact_abs,
        sql=dict.fromkeys(("postgresql", "sqlite"), "abs({x})"),
        example="abs(change)",
    )
)
FUNCTIONS.add(
    Function(
        "sin",
        value=np.sin,
        derivative=np.cos,
        second=lambda x: -np.sin(x),
        exact=doubled.exact_sin,
        sql=dict.fromkeys(("postgresql", "sqlite"), "sin({x})"),
        sqlite={"sin": math.sin},
        example="sin(phase)",
    )
)
FUNCTIONS.add(
    Function(
        "cos",
        value=np.cos,
        derivative=lambda x: -np.sin(x),
        second=lambda x: -np.cos(x),
        exact=doubled.exact_cos,
        sql=dict.fromkeys(("postgresql", "sqlite"), "cos({x})"),
        sqlite={"cos": math.cos},
        example="cos(phase)",
    )
)
FUNCTIONS.add(
    Function(
        "tanh",
        value=np.tanh,
        derivative=lambda x: 1 / np.square(np.cosh(x)),
        second=lambda x: -2 * np.tanh(x) / np.square(np.cosh(x)),
        exact=doubled.exact_tanh,
        inverse=np.arctanh,
        low=-1 + EDGE,
        high=1 - EDGE,
        sql=dict.fromkeys(("postgresql", "sqlite"), "tanh({x})"),
        sqlite={"tanh": math.tanh},
        example="tanh(signal)",
    )
)
FUNCTIONS.add(
    Function(
        "tan",
        value=np.tan,
        derivative=lambda x: 1 + np.square(np.tan(x)),
        second=lambda x: 2 * np.tan(x) * (1 + np.square(np.tan(x))),
        exact=doubled.exact_tan,
        sql=dict.fromkeys(("postgresql", "sqlite"), "tan({x})"),
        sqlite={"tan": math.tan},
        example="tan(slope)",
    )
)
FUNCTIONS.add(
    Function(
        "atan",
        value=np.arctan,
        derivative=lambda x: 1 / (1 + np.square(x)),
        second=lambda x: -2 * x / np.square(1 + np.square(x)),
        exact=doubled.exact_atan,
        inverse=np.tan,
        low=-math.pi / 2,
        high=math.pi / 2,
        sql=dict.fromkeys(("postgresql", "sqlite"), "atan({x})"),
        sqlite={"atan": math.atan},
        example="atan(ratio)",
        aliases=("arctan",),
    )
)
FUNCTIONS.add(
    Function(
        "sinh",
        value=np.sinh,
        derivative=np.cosh,
        second=np.sinh,
        exact=doubled.exact_sinh,
        inverse=np.arcsinh,
        sql={
            "postgresql": "(select case when abs(x) < 710 then sinh(x) end from (select {x} as x limit 1) as v)",
            "sqlite": "sinh({x})",
        },
        sqlite={"sinh": math.sinh},
        example="sinh(sag)",
    )
)
FUNCTIONS.add(
    Function(
        "cosh",
        value=np.cosh,
        derivative=np.sinh,
        second=np.cosh,
        exact=doubled.exact_cosh,
        sql={
            "postgresql": "(select case when abs(x) < 710 then cosh(x) end from (select {x} as x limit 1) as v)",
            "sqlite": "cosh({x})",
        },
        sqlite={"cosh": math.cosh},
        example="cosh(sag)",
    )
)
FUNCTIONS.add(
    Function(
        "sigmoid",
        value=logistic_value,
        derivative=logistic_slope,
        second=logistic_second,
        exact=doubled.exact_sigmoid,
        both=logistic_both,
        inverse=log_odds,
        low=np.finfo(np.float64).tiny,
        high=1 - EDGE,
        sql={"postgresql": SIGMOID_SQL.format(least="least"), "sqlite": SIGMOID_SQL.format(least="min")},
        sqlite={"exp": math.exp},
        example="sigmoid(score)",
        aliases=("expit",),
        undone_by="logit",
    )
)
FUNCTIONS.add(
    Function(
        "logit",
        value=log_odds,
        derivative=lambda p: 1 / (p * (1 - p)),
        second=lambda p: (2 * p - 1) / np.square(p * (1 - p)),
        exact=doubled.exact_logit,
        inverse=logistic_value,
        sql=dict.fromkeys(
            ("postgresql", "sqlite"),
            "(select case when x > 0 and x < 0.25 then ln(x / (1 - x)) when x >= 0.25 and x < 1 then case"
            " when 1 + q = 1 then q else q * ln(1 + q) / ((1 + q) - 1) end end"
            " from (select x, (2 * x - 1) / nullif(1 - x, 0) as q from (select {x} as x limit 1) as v) as w)",
        ),
        sqlite={"ln": math.log},
        example="logit(share)",
        undone_by="sigmoid",
    )
)
FUNCTIONS.add(
    Function(
        "softplus",
        value=lambda x: np.logaddexp(0.0, x),
        derivative=logistic_value,
        second=logistic_slope,
        exact=doubled.exact_softplus,
        inverse=lambda z: z + np.log(-np.expm1(-z)),
        low=np.finfo(np.float64).tiny,
        sql={"postgresql": _softplus_sql("least", "greatest"), "sqlite": _softplus_sql("min", "max")},
        sqlite={"exp": math.exp, "ln": math.log},
        example="softplus(load)",
    )
)
FUNCTIONS.add(
    Function(
        "erf",
        value=error_function,
        derivative=error_function_slope,
        second=lambda x: -2 * x * error_function_slope(x),
        exact=doubled.exact_erf,
        inverse=error_function_inverse,
        low=-1 + EDGE,
        high=1 - EDGE,
        example="erf(depth)",
    )
)
