"""The functions of the formula: ``log``, ``sqrt`` and the others, each with all that the program asks of it.

To add one, add a ``Function`` to ``FUNCTIONS`` here and a sentence ``[function] NAME`` in both languages.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from descend.base.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from descend.base.typing import Floats

EDGE = 2.0**-53  # from 1 to the largest float64 below it


@dataclass(frozen=True)
class Function:
    """A function of one number.

    value: its value for each number of an array; not finite where it is not defined.
    derivative: its derivative for each.
    inverse: the number that has a given value; None where several numbers have it.
    low, high: the least and the greatest value that ``inverse`` takes.
    sql: its spelling by dialect, with ``{x}`` once for the argument. It is NULL where the function is not defined, and
        it never stops the query. Of a dialect that is not there the function has none, and the rows are read.
    sqlite: Python's form of the functions that the SQLite spelling calls, for an SQLite that was built without them.
    example: a term as it may be written.
    aliases: other names that are read as this one.

    The sentence ``function.NAME`` says in a line what it is and which numbers it takes.

    >>> FUNCTIONS["sqrt"].undo(np.array([3.0, -1.0])).tolist()
    [9.0, 0.0]
    """

    name: str
    value: Callable[[Floats], Floats]
    derivative: Callable[[Floats], Floats]
    inverse: Callable[[Floats], Floats] | None = None
    low: float = -math.inf
    high: float = math.inf
    sql: Mapping[str, str] = field(default_factory=dict)
    sqlite: Mapping[str, Callable[[float], float]] = field(default_factory=dict)
    example: str = ""
    aliases: tuple[str, ...] = ()

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


def _sigmoid(x: Floats) -> Floats:
    """Return 1 / (1 + exp(-x)) without an overflow, to the last digits at both ends."""
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(np.less(x, 0), small, 1.0) / (1 + small))


def _sigmoid_slope(x: Floats) -> Floats:
    small = np.exp(-np.abs(x))
    return np.asarray(small / np.square(1 + small))


def _logit(p: Floats) -> Floats:
    """Return log(p / (1 - p)); about 1/2, where the ratio is near 1, by log1p of its distance from 1."""
    return np.asarray(np.where(np.less(p, 0.25), np.log(p / (1 - p)), np.log1p((2 * p - 1) / (1 - p))))


def _erf(x: Floats) -> Floats:
    from scipy.special import erf

    return np.asarray(erf(x))


def _erf_inverse(z: Floats) -> Floats:
    from scipy.special import erfinv

    return np.asarray(erfinv(z))


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
        inverse=np.exp,
        sql={"postgresql": "ln(nullif(greatest({x}, 0), 0))", "sqlite": "ln({x})"},
        sqlite={"ln": math.log},
        example="log(price)",
    )
)
FUNCTIONS.add(
    Function(
        "log1p",
        value=np.log1p,
        derivative=lambda x: 1 / (1 + x),
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
        inverse=np.log,
        low=np.finfo(np.float64).tiny,
        sql=dict.fromkeys(("postgresql", "sqlite"), "exp({x})"),
        sqlite={"exp": math.exp},
        example="exp(dose)",
    )
)
FUNCTIONS.add(
    Function(
        "sqrt",
        value=np.sqrt,
        derivative=lambda x: 0.5 / np.sqrt(x),
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
        sql=dict.fromkeys(("postgresql", "sqlite"), "abs({x})"),
        example="abs(change)",
    )
)
FUNCTIONS.add(
    Function(
        "sin",
        value=np.sin,
        derivative=np.cos,
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
        value=_sigmoid,
        derivative=_sigmoid_slope,
        inverse=_logit,
        low=np.finfo(np.float64).tiny,
        high=1 - EDGE,
        sql={"postgresql": SIGMOID_SQL.format(least="least"), "sqlite": SIGMOID_SQL.format(least="min")},
        sqlite={"exp": math.exp},
        example="sigmoid(score)",
    )
)
FUNCTIONS.add(
    Function(
        "logit",
        value=_logit,
        derivative=lambda p: 1 / (p * (1 - p)),
        inverse=_sigmoid,
        sql=dict.fromkeys(
            ("postgresql", "sqlite"),
            "(select case when x > 0 and x < 0.25 then ln(x / (1 - x)) when x >= 0.25 and x < 1 then case"
            " when 1 + q = 1 then q else q * ln(1 + q) / ((1 + q) - 1) end end"
            " from (select x, (2 * x - 1) / nullif(1 - x, 0) as q from (select {x} as x limit 1) as v) as w)",
        ),
        sqlite={"ln": math.log},
        example="logit(share)",
    )
)
FUNCTIONS.add(
    Function(
        "softplus",
        value=lambda x: np.logaddexp(0.0, x),
        derivative=_sigmoid,
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
        value=_erf,
        derivative=lambda x: 2 / math.sqrt(math.pi) * np.exp(-np.square(x)),
        inverse=_erf_inverse,
        low=-1 + EDGE,
        high=1 - EDGE,
        example="erf(depth)",
    )
)
