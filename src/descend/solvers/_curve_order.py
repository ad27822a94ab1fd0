"""The order of terms of an equation that can change places: by the first of their parameters that is not linear."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from descend.formula.exchange import exchangeable
from descend.formula.separable import linear_in

if TYPE_CHECKING:
    from descend.base.typing import Floats
    from descend.formula.ast import Curve
    from descend.solvers._levenberg import Box


def in_order(curve: Curve, w: Floats, box: Box) -> Floats:
    """Return the same curve's parameters with exchangeable terms in rising order: of decays by the rate.

    Terms whose parameters have different bounds stay where they are.

    >>> from descend.formula.parser import parse
    >>> from descend.solvers._levenberg import Box
    >>> curve = parse("y = a*exp(-b*x) + c*exp(-d*x)").resolve(["x", "y"]).curve
    >>> in_order(curve, np.array([1.0, 7.0, 2.0, 3.0]), Box.of(None, 4)).tolist()
    [2.0, 3.0, 1.0, 7.0]
    """
    made, linear = w.copy(), linear_in(curve)
    for group in exchangeable(curve):
        terms = np.array([[curve.parameters.index(name) for name in term] for term in group])
        keys = [place for place, name in enumerate(group[0]) if name not in linear]
        alike = not any(np.ptp(np.nan_to_num(bound)[terms], axis=0).any() for bound in box)
        if keys and alike:
            order = np.lexsort(w[terms][:, keys[::-1]].T)
            made[terms.ravel()] = w[terms[order].ravel()]
    return made
