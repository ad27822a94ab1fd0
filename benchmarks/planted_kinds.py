"""Kinds of equations that ``planted`` fits: how each is written, what it is in NumPy, and its parameters at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import erf

if TYPE_CHECKING:
    from collections.abc import Callable

    Floats = np.ndarray[Any, Any]
    Parameters = dict[str, float]


class Draw:
    """Random numbers for the parameters of one problem.

    x: the largest value of its column. y: the height of its curve.
    """

    def __init__(self, random: np.random.Generator, x: float, y: float) -> None:
        self.random, self.x, self.y = random, x, y

    def between(self, low: float, high: float) -> float:
        """Return a number between two."""
        return float(self.random.uniform(low, high))

    def place(self, low: float, high: float) -> float:
        """Return a value of x, by its share of the largest."""
        return self.between(low, high) * self.x

    def rate(self, low: float, high: float) -> float:
        """Return a number by 1 / x, so that it is between two where x is the largest."""
        return self.between(low, high) / self.x

    def height(self, low: float, high: float) -> float:
        """Return a value of y."""
        return self.between(low, high) * self.y

    def either(self) -> float:
        """Return the height with either sign."""
        return float(self.random.choice([-1.0, 1.0])) * self.y


@dataclass(frozen=True)
class Kind:
    """A kind of equation.

    text: its right-hand side. value: the same in NumPy, of columns and parameters. parameters: at random. least: the
    least value of x, as a share of the largest. span: the range of x where it has one of its own, not at any scale.
    second: whether there is another column, z.
    """

    name: str
    text: str
    value: Callable[..., Floats]
    parameters: Callable[[Draw], Parameters]
    least: float = 0.0
    span: tuple[float, float] | None = None
    second: bool = False


def _power(d: Draw) -> Parameters:
    b = d.between(-1.5, 3)
    return {"a": d.y / d.x**b, "b": b}


def _offset_power(d: Draw) -> Parameters:
    b = float(d.random.choice([d.between(-1.5, -0.3), d.between(0.3, 0.7), d.between(1.5, 4)]))
    return {"a": d.either() / d.x**b, "b": b, "c": d.height(-3, 3)}


def _arrhenius(d: Draw) -> Parameters:
    e = d.between(1, 12)
    return {"a": d.y * float(np.exp(e)), "e": e * d.x}


def _power_exponential(d: Draw) -> Parameters:
    b = d.between(0.5, 4)
    return {"b1": 10 * d.y / d.x**b, "b2": b, "b3": d.rate(3, 15)}


def _plateau(d: Draw) -> Parameters:
    a, b = d.height(-0.5, 0.5), d.height(1, 4)
    return {"b1": a, "b2": b / d.x, "b3": a + b * d.between(0.2, 0.8)}


def _two_lines(d: Draw) -> Parameters:
    b, c = d.height(1, 4), d.height(0.2, 3)
    return {"b1": d.y, "b2": b / d.x, "b3": d.y - (b + c) * d.between(0.2, 0.8), "b4": c / d.x}


def _soft_hinge(d: Draw) -> Parameters:
    w = d.between(0.02, 0.15)
    return {
        "b1": d.height(-1, 1), "b2": d.height(-1, 1) / d.x, "b3": d.either() * w * d.between(3, 8),
        "b4": d.place(0.25, 0.75), "b5": w * d.x,
    }  # fmt: skip


def _temperature(d: Draw) -> Parameters:
    e = d.between(3000, 12000)
    return {"b1": d.y * float(np.exp(e / 310)), "b2": e}


KINDS = (
    Kind(
        "decay", "a*exp(-b*x) + c",
        lambda x, a, b, c: a * np.exp(-b * x) + c,
        lambda d: {"a": d.either(), "b": d.rate(1, 10), "c": d.height(-1, 1)},
    ),
    Kind(
        "two decays", "a*exp(-b*x) + c*exp(-d*x)",
        lambda x, a, b, c, d: a * np.exp(-b * x) + c * np.exp(-d * x),
        lambda d: {"a": d.y, "b": d.rate(8, 30), "c": d.height(0.4, 2), "d": d.rate(0.5, 3)},
    ),
    Kind(
        "growth", "a*exp(b*x) + c",
        lambda x, a, b, c: a * np.exp(b * x) + c,
        lambda d: {"a": d.height(0.01, 0.2), "b": d.rate(1, 8), "c": d.height(-1, 1)},
    ),
    Kind(
        "logistic growth", "top/(1 + exp(-k*(x - mid)))",
        lambda x, top, k, mid: top / (1 + np.exp(-k * (x - mid))),
        lambda d: {"top": d.y, "k": d.rate(5, 30), "mid": d.place(0.2, 0.8)},
    ),
    Kind(
        "Gompertz", "a*exp(-b*exp(-c*x))",
        lambda x, a, b, c: a * np.exp(-b * np.exp(-c * x)),
        lambda d: {"a": d.y, "b": d.between(2, 20), "c": d.rate(3, 12)},
    ),
    Kind(
        "dose-response", "low + (high - low)/(1 + (x/mid)**slope)",
        lambda x, low, high, mid, slope: low + (high - low) / (1 + (x / mid) ** slope),
        lambda d: {"low": d.height(0, 0.5), "high": d.height(1, 2), "mid": d.place(0.1, 0.6), "slope": d.between(1, 6)},
        least=0.001,
    ),
    Kind(
        "Michaelis-Menten", "v*x/(k + x)",
        lambda x, v, k: v * x / (k + x),
        lambda d: {"v": d.y, "k": d.place(0.05, 1)},
    ),
    Kind(
        "Hill", "v*x**n/(k**n + x**n)",
        lambda x, v, n, k: v * x**n / (k**n + x**n),
        lambda d: {"v": d.y, "n": d.between(1.5, 6), "k": d.place(0.2, 0.7)},
        least=0.001,
    ),
    Kind("power law", "a*x**b", lambda x, a, b: a * x**b, _power, least=0.05),
    Kind("power law with an offset", "a*x**b + c", lambda x, a, b, c: a * x**b + c, _offset_power, least=0.05),
    Kind(
        "Gaussian peak on a line", "a + b*x + c*exp(-(x - m)**2/(2*w**2))",
        lambda x, a, b, c, m, w: a + b * x + c * np.exp(-((x - m) ** 2) / (2 * w**2)),
        lambda d: {
            "a": d.height(-1, 1), "b": d.height(-1, 1) / d.x, "c": d.either(), "m": d.place(0.15, 0.85),
            "w": d.place(0.04, 0.15),
        },
    ),
    Kind(
        "Lorentz peak", "a/(1 + ((x - m)/w)**2) + c",
        lambda x, a, m, w, c: a / (1 + ((x - m) / w) ** 2) + c,
        lambda d: {"a": d.either(), "m": d.place(0.15, 0.85), "w": d.place(0.04, 0.15), "c": d.height(-1, 1)},
    ),
    Kind(
        "two peaks", "a*exp(-((x - m)/w)**2) + b*exp(-((x - n)/v)**2)",
        lambda x, a, m, w, b, n, v: a * np.exp(-(((x - m) / w) ** 2)) + b * np.exp(-(((x - n) / v) ** 2)),
        lambda d: {
            "a": d.y, "m": d.place(0.15, 0.4), "w": d.place(0.06, 0.15),
            "b": d.height(0.4, 1.5), "n": d.place(0.6, 0.85), "v": d.place(0.06, 0.15),
        },
    ),
    Kind(
        "damped wave", "a*exp(-d*x)*cos(w*x + p) + c",
        lambda x, a, d, w, p, c: a * np.exp(-d * x) * np.cos(w * x + p) + c,
        lambda d: {
            "a": d.y, "d": d.rate(0.5, 4), "w": d.rate(10, 60), "p": d.between(-3, 3), "c": d.height(-1, 1)
        },
    ),
    Kind(
        "wave", "a*sin(w*x + p) + c",
        lambda x, a, w, p, c: a * np.sin(w * x + p) + c,
        lambda d: {"a": d.y, "w": d.rate(4, 60), "p": d.between(-3, 3), "c": d.height(-2, 2)},
    ),
    Kind(
        "rational function", "(a + b*x)/(1 + c*x + d*x**2)",
        lambda x, a, b, c, d: (a + b * x) / (1 + c * x + d * x**2),
        lambda d: {
            "a": d.height(-1, 1), "b": d.height(2, 10) / d.x, "c": d.rate(-1.5, 3), "d": d.rate(2, 15) / d.x
        },
    ),
    Kind("Arrhenius", "a*exp(-e/x)", lambda x, a, e: a * np.exp(-e / x), _arrhenius, least=0.3),
    Kind(
        "Weibull growth", "a*(1 - exp(-(x/k)**c))",
        lambda x, a, k, c: a * (1 - np.exp(-((x / k) ** c))),
        lambda d: {"a": d.y, "k": d.place(0.2, 0.7), "c": d.between(0.7, 4)},
    ),
    Kind(
        "stretched exponential", "a*exp(-(x/t)**b) + c",
        lambda x, a, t, b, c: a * np.exp(-((x / t) ** b)) + c,
        lambda d: {"a": d.y, "t": d.place(0.05, 0.4), "b": d.between(0.4, 1.5), "c": d.height(-0.5, 0.5)},
    ),
    Kind(
        "hinge", "a + b*x + c*max(0, x - k)",
        lambda x, a, b, c, k: a + b * x + c * np.maximum(0, x - k),
        lambda d: {
            "a": d.height(-1, 1), "b": d.height(-1, 1) / d.x, "c": d.either() * d.rate(2, 5), "k": d.place(0.2, 0.8)
        },
    ),
    Kind(
        "two columns", "a*exp(-b*x) + c*z/(d + z)",
        lambda x, z, a, b, c, d: a * np.exp(-b * x) + c * z / (d + z),
        lambda d: {"a": d.y, "b": d.rate(1, 8), "c": d.height(0.5, 2), "d": d.between(0.05, 0.6)},
        second=True,
    ),
)  # fmt: skip

OTHERS = (
    Kind(
        "two decays with an offset", "b1*exp(-b2*x) + b3*exp(-b4*x) + b5",
        lambda x, b1, b2, b3, b4, b5: b1 * np.exp(-b2 * x) + b3 * np.exp(-b4 * x) + b5,
        lambda d: {
            "b1": d.either(), "b2": d.rate(10, 40), "b3": d.height(0.5, 2), "b4": d.rate(1, 4), "b5": d.height(-1, 1)
        },
    ),
    Kind(
        "Richards", "b1/(1 + b2*exp(-b3*x))**(1/b4)",
        lambda x, b1, b2, b3, b4: b1 / (1 + b2 * np.exp(-b3 * x)) ** (1 / b4),
        lambda d: {"b1": d.y, "b2": d.between(5, 100), "b3": d.rate(6, 20), "b4": d.between(0.3, 3)},
    ),
    Kind(
        "Langmuir", "b1*b2*x/(1 + b2*x)",
        lambda x, b1, b2: b1 * b2 * x / (1 + b2 * x),
        lambda d: {"b1": d.y, "b2": d.rate(0.5, 30)},
    ),
    Kind(
        "van Genuchten", "b1 + (b2 - b1)/(1 + (b3*x)**b4)**(1 - 1/b4)",
        lambda x, b1, b2, b3, b4: b1 + (b2 - b1) / (1 + (b3 * x) ** b4) ** (1 - 1 / b4),
        lambda d: {"b1": d.height(0.05, 0.3), "b2": d.y, "b3": d.rate(2, 20), "b4": d.between(1.3, 5)},
        least=0.0001,
    ),
    Kind(
        "log-periodic", "b1 + b2*log(x) + b3*cos(b4*log(x) + b5)",
        lambda x, b1, b2, b3, b4, b5: b1 + b2 * np.log(x) + b3 * np.cos(b4 * np.log(x) + b5),
        lambda d: {
            "b1": d.height(-1, 1), "b2": d.height(-0.5, 0.5), "b3": d.y, "b4": d.between(2, 15), "b5": d.between(-3, 3)
        },
        least=0.02,
    ),
    Kind("line to a plateau", "min(b1 + b2*x, b3)", lambda x, b1, b2, b3: np.minimum(b1 + b2 * x, b3), _plateau),
    Kind(
        "two lines", "max(b1 - b2*x, b3 + b4*x)",
        lambda x, b1, b2, b3, b4: np.maximum(b1 - b2 * x, b3 + b4 * x), _two_lines,
    ),
    Kind(
        "step by atan", "b1 + b2*atan((x - b3)/b4)",
        lambda x, b1, b2, b3, b4: b1 + b2 * np.arctan((x - b3) / b4),
        lambda d: {"b1": d.height(-2, 2), "b2": d.either(), "b3": d.place(0.2, 0.8), "b4": d.place(0.02, 0.2)},
    ),
    Kind(
        "step by erf", "b1 + b2*erf((x - b3)/b4)",
        lambda x, b1, b2, b3, b4: b1 + b2 * erf((x - b3) / b4),
        lambda d: {"b1": d.height(-2, 2), "b2": d.either(), "b3": d.place(0.2, 0.8), "b4": d.place(0.03, 0.3)},
    ),
    Kind(
        "soft hinge", "b1 + b2*x + b3*softplus((x - b4)/b5)",
        lambda x, b1, b2, b3, b4, b5: b1 + b2 * x + b3 * np.logaddexp(0, (x - b4) / b5), _soft_hinge,
    ),
    Kind(
        "power times exponential", "b1*x**b2*exp(-b3*x)",
        lambda x, b1, b2, b3: b1 * x**b2 * np.exp(-b3 * x), _power_exponential, least=0.001,
    ),
    Kind(
        "wave in one term", "b1*cos(b2*x + b3)",
        lambda x, b1, b2, b3: b1 * np.cos(b2 * x + b3),
        lambda d: {"b1": d.y, "b2": d.rate(3, 120), "b3": d.between(-3, 3)},
    ),
    Kind(
        "temperature", "b1*exp(-b2/(x + 273.15))",
        lambda x, b1, b2: b1 * np.exp(-b2 / (x + 273.15)), _temperature, span=(0.0, 60.0),
    ),
    Kind(
        "inhibition", "b1*x/(b2 + x + x**2/b3)",
        lambda x, b1, b2, b3: b1 * x / (b2 + x + x**2 / b3),
        lambda d: {"b1": d.y, "b2": d.place(0.05, 0.4), "b3": d.place(0.1, 0.8)},
    ),
    Kind(
        "log-normal peak", "b1*exp(-log(x/b2)**2/(2*b3**2)) + b4",
        lambda x, b1, b2, b3, b4: b1 * np.exp(-(np.log(x / b2) ** 2) / (2 * b3**2)) + b4,
        lambda d: {"b1": d.y, "b2": d.place(0.1, 0.5), "b3": d.between(0.2, 0.8), "b4": d.height(-1, 1)},
        least=0.001,
    ),
    Kind(
        "two waves", "b1*sin(b2*x + b3) + b4*sin(b5*x + b6)",
        lambda x, b1, b2, b3, b4, b5, b6: b1 * np.sin(b2 * x + b3) + b4 * np.sin(b5 * x + b6),
        lambda d: {
            "b1": d.y, "b2": d.rate(10, 40), "b3": d.between(-3, 3),
            "b4": d.height(0.4, 1), "b5": d.rate(60, 120), "b6": d.between(-3, 3),
        },
    ),
    Kind(
        "cubic rational function", "(b1 + b2*x + b3*x**2)/(1 + b4*x + b5*x**2 + b6*x**3)",
        lambda x, b1, b2, b3, b4, b5, b6: (b1 + b2 * x + b3 * x**2) / (1 + b4 * x + b5 * x**2 + b6 * x**3),
        lambda d: {
            "b1": d.y, "b2": d.height(-3, 3) / d.x, "b3": d.height(-3, 3) / d.x**2,
            "b4": d.rate(-1, 2), "b5": d.rate(1, 5) / d.x, "b6": d.rate(1, 5) / d.x**2,
        },
    ),
    Kind(
        "three peaks", "b1 + b2*exp(-((x - b3)/b4)**2) + b5*exp(-((x - b6)/b7)**2) + b8*exp(-((x - b9)/b10)**2)",
        lambda x, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10: (
            b1 + b2 * np.exp(-(((x - b3) / b4) ** 2)) + b5 * np.exp(-(((x - b6) / b7) ** 2))
            + b8 * np.exp(-(((x - b9) / b10) ** 2))
        ),
        lambda d: {
            "b1": d.height(-2, 2), "b2": d.y, "b3": d.place(0.1, 0.25), "b4": d.place(0.04, 0.1),
            "b5": d.height(0.4, 2), "b6": d.place(0.4, 0.6), "b7": d.place(0.04, 0.1),
            "b8": d.height(0.4, 2), "b9": d.place(0.75, 0.9), "b10": d.place(0.04, 0.1),
        },
    ),
    Kind(
        "growth over years", "exp(b1 + b2*x)",
        lambda x, b1, b2: np.exp(b1 + b2 * x),
        lambda d: {"b2": (b := d.between(0.02, 0.08)), "b1": float(np.log(d.y)) - 1990 * b},
        span=(1950.0, 2020.0),
    ),
    Kind(
        "wave over years", "b1 + b2*x + b3*sin(b4*x + b5)",
        lambda x, b1, b2, b3, b4, b5: b1 + b2 * x + b3 * np.sin(b4 * x + b5),
        lambda d: {
            "b2": (b := d.height(-0.05, 0.05)), "b1": -1990 * b, "b3": d.y, "b4": d.between(0.3, 3),
            "b5": d.between(-3, 3),
        },
        span=(1950.0, 2020.0),
    ),
)  # fmt: skip
