"""SQL: names, texts, numbers, the formula's expressions and the keys of rows, as PostgreSQL and SQLite write them.

Whatever a user has named or typed is quoted here and nowhere else, so that it is never taken for SQL.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from descend.formula.ast import Number, functions_of
from descend.formula.functions import FUNCTIONS
from descend.formula.visitor import Visitor
from descend.tables.row_sampling import BITS, HIGH, KEYS, ROUNDS, SEED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from descend.formula.ast import Apply, Expression, Name, Operation

Dialect = Literal["postgresql", "sqlite"]
DIALECTS: tuple[Dialect, ...] = ("postgresql", "sqlite")
LARGE = 2**62  # of the powers of two that both engines hold as whole numbers the largest
MASK = KEYS - 1
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
    return _Spelling(dialect, columns).visit(expression)


def has_sql(expression: Expression, dialect: Dialect) -> bool:
    """Tell whether the functions of an expression all have a spelling."""
    return all(dialect in FUNCTIONS[name].sql for name in functions_of(expression))


class _Spelling(Visitor[str]):
    """The SQL of an expression."""

    def __init__(self, dialect: Dialect, columns: Mapping[str, str] | None) -> None:
        self.dialect, self.columns = dialect, columns

    def number(self, value: float) -> str:
        return number_sql(value, self.dialect)

    def column(self, name: Name) -> str:
        return column_sql(name.name, self.dialect) if self.columns is None else self.columns[name.name]

    def applied(self, call: Apply) -> str:
        return FUNCTIONS[call.function].sql[self.dialect].format(x=self.visit(call.argument))

    def negated(self, operand: Expression) -> str:
        return f"(- {self.visit(operand)})"

    def joined(self, operation: Operation, left: Expression, right: Expression) -> str:
        a, b = self.visit(left), self.visit(right)
        if operation.operator == "/":
            return f"({a} / nullif({b}, 0))"
        if operation.operator == "**":
            return _power(a, b, right)
        if operation.operator in ("min", "max"):
            sign = "<" if operation.operator == "min" else ">"  # NULL where one is NULL
            chosen = f"case when x {sign}= y then x when y {sign} x then y end"
            return f"(select {chosen} from (select {a} as x, {b} as y limit 1) as v)"
        return f"({a} {operation.operator} {b})"


def _power(a: str, b: str, exponent: Expression) -> str:
    """Return a power; a whole exponent that is written in the formula and is not below 0 suits every base.

    The base and the exponent are named in a query of their own, and so worked out once however deep they are nested.
    """
    if isinstance(exponent, Number) and exponent.value >= 0 and exponent.value.is_integer():
        return f"power({a}, {b})"
    undefined = "(x = 0 and y < 0) or (x < 0 and y <> floor(y))"
    return f"(select case when not ({undefined}) then power(x, y) end from (select {a} as x, {b} as y limit 1) as v)"


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
