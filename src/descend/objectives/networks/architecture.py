"""Architectures by name: ``mlp(32, 16, dropout=0.1)`` read by a parser that evaluates nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from descend.base.errors import OptionError

ACTIVATIONS = ("relu", "tanh", "sigmoid", "gelu", "silu", "elu", "leaky_relu")
LARGEST = 65_536

_SHARED: dict[str, Any] = {"dropout": 0.0, "batch_norm": False, "activation": "relu"}
OPTIONS: dict[str, dict[str, Any]] = {
    "mlp": _SHARED,
    "cnn": {**_SHARED, "kernel": 3, "dense": 64},
}
SIZES = {"mlp": (32,), "cnn": (16, 32)}
_CALL = re.compile(r"\s*([A-Za-z_]\w*)\s*(?:\((.*)\)\s*)?", re.DOTALL)


@dataclass(frozen=True)
class Architecture:
    """``mlp``: layers of ``sizes``, each followed by batch norm, activation and dropout where asked for.

    ``cnn``: convolutions of ``sizes`` channels, each halving the image, then a layer of ``dense`` (0: none).
    """

    name: str
    sizes: tuple[int, ...]
    dropout: float = 0.0
    batch_norm: bool = False
    activation: str = "relu"
    kernel: int = 3
    dense: int = 64

    def __str__(self) -> str:
        options = OPTIONS[self.name]
        told = [f"{key}={_written(getattr(self, key))}" for key in options if getattr(self, key) != options[key]]
        return f"{self.name}({', '.join([*map(str, self.sizes), *told])})"


def parse_architecture(text: str) -> Architecture:
    """Return the architecture that a text names; ``mlp`` alone has its usual layers, ``mlp()`` none.

    Raises OptionError (``option.hypothesis...``) for a name, an option or a value that is none.
    """
    name, positional, keywords = parse_call(text)
    if name not in OPTIONS:
        raise OptionError("option.hypothesis", value=name, known=", ".join(("linear", *OPTIONS)))
    sizes = SIZES[name] if positional is None else tuple(_size(value, text) for value in positional)
    if name == "cnn" and not sizes:
        raise OptionError("option.hypothesis-size", value=text, found="")
    known = OPTIONS[name]
    for key, value in keywords.items():
        if key not in known:
            raise OptionError("option.hypothesis-option", name=key, value=name, known=", ".join(known))
        _check(key, value, text)
    return Architecture(name, sizes, **keywords)


def parse_call(text: str) -> tuple[str, list[Any] | None, dict[str, Any]]:
    """Return the name, the positional arguments (None without parentheses) and the keywords of ``name(1, a=true)``.

    Values are numbers, true, false, none and words.
    """
    found = _CALL.fullmatch(text)
    if found is None:
        raise OptionError("option.hypothesis-syntax", value=text)
    name, inside = found.groups()
    if inside is None:
        return name, None, {}
    positional: list[Any] = []
    keywords: dict[str, Any] = {}
    for part in inside.split(",") if inside.strip() else []:
        key, equals, value = part.partition("=")
        if not equals:
            if keywords:
                raise OptionError("option.hypothesis-syntax", value=text)
            positional.append(_value(part, text))
        elif not key.strip().isidentifier() or key.strip() in keywords:
            raise OptionError("option.hypothesis-syntax", value=text)
        else:
            keywords[key.strip()] = _value(value, text)
    return name, positional, keywords


def _value(written: str, text: str) -> Any:
    word = written.strip()
    constants = {"true": True, "false": False, "none": None}
    if word.lower() in constants:
        return constants[word.lower()]
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    if not word.isidentifier():
        raise OptionError("option.hypothesis-syntax", value=text)
    return word


def _size(value: Any, text: str) -> int:
    if type(value) is not int or not 1 <= value <= LARGEST:
        raise OptionError("option.hypothesis-size", value=text, found=value)
    return value


def _check(key: str, value: Any, text: str) -> None:
    good = {
        "dropout": type(value) in (int, float) and 0 <= value < 1,
        "batch_norm": type(value) is bool,
        "activation": value in ACTIVATIONS,
        "kernel": type(value) is int and 1 <= value <= 99 and value % 2 == 1,
        "dense": type(value) is int and 0 <= value <= LARGEST,
    }
    allowed = {
        "dropout": "0 ... 0.99",
        "batch_norm": "true, false",
        "activation": ", ".join(ACTIVATIONS),
        "kernel": "1, 3, 5, ...",
        "dense": f"0 ... {LARGEST}",
    }
    if not good[key]:
        raise OptionError("option.hypothesis-value", name=key, found=_written(value), allowed=allowed[key], value=text)


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
