"""The fitted equation in the units of the table, as text."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from descend.base.visible import in_a_line
from descend.design.encodings import CONSTANT
from descend.design.matrix import INTERCEPT, Design
from descend.formula.printing import equations_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from descend.base.typing import Floats
    from descend.formula.ast import Hypothesis
    from descend.objectives.target import Target

ROUNDING = 1e-12
DIGITS = 6


def addends(design: Design, raw: Floats, output: int) -> dict[str, float]:
    """Return the terms of one output: each name and its coefficient in raw units, polynomials as powers of x.

    Images are left out: their weights are images themselves. A coefficient that is nothing but rounding beside the
    largest contribution is given as 0.
    """
    raw = raw[:, output]
    weight_of = np.abs(raw) * design.sizes
    raw = np.where(weight_of <= ROUNDING * weight_of.max(initial=0.0), 0.0, raw)
    total: dict[str, float] = {INTERCEPT: float(raw[0])} if design.hypothesis.intercept else {}
    column = int(design.hypothesis.intercept)
    for block in design.blocks:
        mine = raw[column : column + len(block.names)]
        column += len(block.names)
        for name, value in block.addends(mine).items():
            name = INTERCEPT if name == CONSTANT else name
            total[name] = total.get(name, 0.0) + value
    return total


def written_lines(hypothesis: Hypothesis, target: Target, numbers: Mapping[str, float]) -> list[str]:
    """Return an equation as it was written with the numbers of its parameters, a line an output."""
    told = {name: f"{value:.{DIGITS}g}" for name, value in numbers.items()}
    if hypothesis.about == "probability":
        hypothesis = replace(hypothesis, level=target.levels[-1])
    return [in_a_line(line) for line in equations_of(hypothesis, told)]


def network_line(design: Design, target: Target, title: str) -> str:
    """Return the line of a network: the target as a function of the columns."""
    inputs = ", ".join(dict.fromkeys(name.name for name in design.hypothesis.inputs))
    told = f"{title}({inputs})" if "(" not in title else f"{title} of {inputs}"
    return in_a_line(target.family.network_equation(target, told))


def equation_lines(design: Design, target: Target, raw: Floats, *, digits: int | None = None) -> list[str]:
    """Return the equation of coefficients in raw units (columns x outputs), a line an output, control characters shown.

    digits: significant ones; None: six, and more where large terms cancel, so that the equation can be used as printed.
    An image is one term, ``w · image``: the sum over its pixels, each times a weight.
    """
    outputs = target.outputs
    sums = [
        _sum(
            addends(design, raw, index),
            digits or _digits(design, raw, index, target.spreads),
            [f"w[{output}] · {image}" if len(outputs) > 1 else f"w · {image}" for image in design.images],
        )
        for index, output in enumerate(outputs)
    ]
    return [in_a_line(line) for line in target.family.equation(target, sums, design.names)]


def _digits(design: Design, raw: Floats, output: int, spreads: tuple[float, ...]) -> int:
    """Return six digits, and one more for every power of ten by which terms are over ten times what they add up to."""
    raw = raw[:, output]
    spread = spreads[output] if spreads else 1.0  # logits are of the order of one
    largest, column = float(np.max(np.abs(raw) * design.sizes, initial=0.0)), int(design.hypothesis.intercept)
    for block in design.blocks:
        width = len(block.names)
        if len(block.codes) == 1:
            largest = max(largest, block.codes[0].largest(raw[column : column + width]))
        column += width
    if not 0 < 10 * spread < largest:
        return DIGITS
    times = min(largest / spread / 10, 1e17)  # of a spread near 0 they are infinite
    return min(DIGITS + int(np.log10(times)), 17)


def _sum(total: dict[str, float], digits: int, products: list[str]) -> str:
    parts: list[str] = []
    for name, value in total.items():
        size = f"{abs(value):.{digits}g}"
        text = size if name == INTERCEPT else f"{size} × {name}"
        if not parts:
            parts.append(f"−{text}" if value < 0 else text)
        else:
            parts.append(f"{'−' if value < 0 else '+'} {text}")
    for product in products:
        parts.append(f"+ {product}" if parts else product)
    return " ".join(parts) or "0"
