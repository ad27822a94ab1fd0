"""An outer function taken off an expression: the linear predictor of a probability or of a count."""

from __future__ import annotations

from descend.formula._affine import ONE
from descend.formula.ast import Apply, Expression, Operation
from descend.formula.functions import FUNCTIONS


def inside(expression: Expression, outer: str) -> Expression:
    """Return the expression z of which ``expression`` is outer(z).

    outer: a function that another one undoes: the sigmoid, also where it is written as ``1 / (1 + exp(-z))`` or
    ``exp(z) / (1 + exp(z))``, or ``exp``. Where it does not stand outside, z is the other function of the expression.

    >>> from descend.formula.ast import Name
    >>> str(inside(Apply("exp", Name("x")), "exp")), str(inside(Name("x"), "exp")), str(inside(Name("x"), "sigmoid"))
    ('x', 'log(x)', 'logit(x)')
    """
    if isinstance(expression, Apply) and expression.function == outer:
        return expression.argument
    found = _of_sigmoid(expression) if outer == "sigmoid" else None
    return Apply(FUNCTIONS[outer].undone_by, expression) if found is None else found


def _of_sigmoid(expression: Expression) -> Expression | None:
    """Return what an expression is the sigmoid of, None where it does not look like one."""
    match expression:
        case Apply("sigmoid", argument):
            return argument
        case Operation("-", left, right) if left == ONE:
            found = _of_sigmoid(right)
            return None if found is None else minus(found)
        case Operation("/", above, Operation("+", a, Apply("exp", b)) | Operation("+", Apply("exp", b), a)) if a == ONE:
            if above == ONE:
                return minus(b)
            return b if above == Apply("exp", b) else None
    return None


def minus(expression: Expression) -> Expression:
    """Return minus an expression, without a sign more than it needs.

    >>> from descend.formula.ast import Name
    >>> str(minus(Operation("*", Operation("-", None, Name("k")), Name("x"))))
    'k * x'
    """
    match expression:
        case Operation(_, None, inner):
            return inner
        case Operation("*" | "/" as operator, Operation(_, None, inner), right):
            return Operation(operator, inner, right)
    return Operation("-", None, expression)
