"""SQL: names, texts, numbers, the formula's expressions and the keys of rows, as PostgreSQL and SQLite write them.

Whatever a user has named or typed is quoted here and nowhere else, so that it is never taken for SQL.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from descend.formula.ast import Apply, Name, Number, Operation
from descend.tables.row_sampling import BITS, HIGH, KEYS, ROUNDS, SEED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from descend.formula.ast import Expression

Dialect = Literal["postgresql", "sqlite"]
DIALECTS: tuple[Dialect, ...] = ("postgresql", "sqlite")
LARGE = 2**62  # of the powers of two that both engines hold as whole numbers the largest
MASK = KEYS - 1
LEAST = 5e-324  # of all numbers above 0
LAST = 15  # the shift after the last multiplication of a key


def name_sql(name: str) -> str:
    """Return a name as an identifier."""
    return '"' + name.replace('"', '""') + '"'


def text_sql(text: str, dialect: Dialect) -> str:
    """Return a text as a constant; backslashes mean themselves where PostgreSQL's strings conform to the standard."""
    if dialect == "sqlite" and "\0" in text:  # SQLite reads a statement up to there
        return f"cast(x'{text.encode().hex()}' as text)"
    return "'" + text.replace("'", "''") + "'"


def number_sql(value: float, dialect: Dialect) -> str:
    """Return a number in double precision, to its last bit.

    SQLite may read a decimal fraction one bit beside it, so that it is given whole numbers and powers of two.
    """
    if not math.isfinite(value):
        raise ValueError(value)
    if dialect == "postgresql":
        return f"({value!r})::float8"
    above, below = abs(value).as_integer_ratio()
    factors = []
    while above >= LARGE:  # then it is a multiple of a large power of two
        twos = min(above & -above, LARGE)
        above //= twos
        factors.append(f"* {twos}.0")
    while below > 1:
        twos = min(below, LARGE)
        below //= twos
        factors.append(f"/ {twos}.0")
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    return f"({' '.join([f'{sign}{above}.0', *factors])})"


def value_sql(value: str | float | bytes, dialect: Dialect) -> str:
    """Return a cell as a constant to compare its column with; PostgreSQL reads a text as what it is compared with."""
    if dialect == "postgresql":
        return text_sql(str(value).lower() if isinstance(value, bool) else str(value), dialect)
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    if isinstance(value, str):
        return text_sql(value, dialect)
    if isinstance(value, float):
        return number_sql(value, dialect) if math.isfinite(value) else f"{'-' if value < 0 else ''}9e999"
    return str(value)


def column_sql(name: str, dialect: Dialect) -> str:
    """Return a column's number in double precision; SQLite's columns may hold texts too, which are NULL."""
    column = name_sql(name)
    return f"{column}::float8" if dialect == "postgresql" else real_sql(column)


def real_sql(cell: str) -> str:
    """Return an SQLite cell's number in double precision, NULL where it is a text."""
    return f"(case when typeof({cell}) in ('integer', 'real') then cast({cell} as real) end)"


def expression_sql(expression: Expression, dialect: Dialect, columns: Mapping[str, str] | None = None) -> str:
    """Return an expression in double precision, NULL where it is not defined (a logarithm of 0, a division by 0).

    columns: the SQL of each column's number, by default that of ``column_sql``.
    """
    match expression:
        case Number(value):
            return number_sql(value, dialect)
        case Name(name):
            return column_sql(name, dialect) if columns is None else columns[name]
        case Apply(function, argument):
            return _applied(function, expression_sql(argument, dialect, columns), dialect)
        case Operation(operator, left, right):
            b = expression_sql(right, dialect, columns)
            if left is None:
                return f"(- {b})"
            a = expression_sql(left, dialect, columns)
            if operator == "/":
                return f"({a} / nullif({b}, 0))"
            if operator == "**":
                return _power(a, b, right)
            return f"({a} {operator} {b})"


def _applied(function: str, x: str, dialect: Dialect) -> str:
    """Return a function of the formula's list; what PostgreSQL would stop at is NULL, as it is in SQLite."""
    if function == "log1p":  # x log(u) / (u - 1) with u = 1 + x: the rounding of u cancels (Goldberg 1991, theorem 4)
        return _where(f"{x} as x", "when 1 + x = 1 then x when x > -1 then x * ln(1 + x) / ((1 + x) - 1)")
    if dialect == "sqlite":
        return f"{'ln' if function == 'log' else function}({x})"
    if function in ("log", "log10"):
        return f"{'ln' if function == 'log' else 'log'}(nullif(greatest({x}, 0), 0))"
    if function == "sqrt":
        below = number_sql(-LEAST, dialect)
        return f"sqrt(nullif(greatest({x}, {below}), {below}))"
    return f"{function}({x})"


def _power(a: str, b: str, exponent: Expression) -> str:
    """Return a power; a whole exponent that is written in the formula and is not below 0 suits every base."""
    if isinstance(exponent, Number) and exponent.value >= 0 and exponent.value.is_integer():
        return f"power({a}, {b})"
    undefined = "(x = 0 and y < 0) or (x < 0 and y <> floor(y))"
    return _where(f"{a} as x, {b} as y", f"when not ({undefined}) then power(x, y)")


def _where(named: str, cases: str) -> str:
    """Return what follows from values that are named, and so worked out once however deep they are nested."""
    return f"(select case {cases} end from (select {named} limit 1) as v)"


def key_sql(number: str, seed: int, dialect: Dialect, rows: int = LARGE) -> str:
    """Return the key of a row from its number (a bigint, from 0): what ``holdout.row_keys`` gives.

    rows: how many there are; of fewer than KEYS the SQL is shorter.
    """
    key = _unscrambled(number, seed, rows)
    for shift, factor in ROUNDS:
        key = f"({_scrambled(key, shift, dialect)} * {factor}) & {MASK}"
    return _scrambled(key, LAST, dialect)


def keyed_sql(source: str, number: str, seed: int, rows: int, stem: str) -> tuple[str, str]:
    """Return PostgreSQL's source q with more columns, whose names begin with a stem, and the key of a row from them.

    Each step is worked out once and kept, where ``key_sql`` works out the first of them sixteen times.
    """
    made = f"(select q.*, {_unscrambled(number, seed, rows)} as {name_sql(f'{stem}0')} from {source} offset 0) as q"
    for place, (shift, factor) in enumerate(ROUNDS):
        key, following = f"q.{name_sql(f'{stem}{place}')}", name_sql(f"{stem}{place + 1}")
        made = (
            f"(select q.*, (({key} # ({key} >> {shift})) * {factor}) & {MASK} as {following} from {made} offset 0) as q"
        )
    return made, _scrambled(f"q.{name_sql(f'{stem}{len(ROUNDS)}')}", LAST, "postgresql")


def _unscrambled(number: str, seed: int, rows: int) -> str:
    """Return a row's number with the seed and what is above 31 bits added."""
    spread = (seed + 1) * SEED & MASK
    if rows <= KEYS:
        return f"(({number}) + {spread}) & {MASK}"
    return f"((({number}) & {MASK}) + ((({number}) >> {BITS}) & {MASK}) * {HIGH} + {spread}) & {MASK}"


def _scrambled(key: str, shift: int, dialect: Dialect) -> str:
    """Return a key, exclusive or itself shifted; SQLite, which has no such operator, is to work it out only once."""
    if dialect == "postgresql":
        return f"(({key}) # (({key}) >> {shift}))"
    return f"(select (k | (k >> {shift})) - (k & (k >> {shift})) from (select {key} as k))"
