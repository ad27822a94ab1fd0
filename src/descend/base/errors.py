"""The errors of descend.

    DescendError
    ├── TableError      a file or a frame that cannot be read as a table
    ├── FormulaError    a hypothesis outside the grammar
    ├── DesignError     a hypothesis that does not fit the table
    │   └── UndefinedError
    ├── OptionError     a setting that makes no sense
    ├── FitError        a fit that cannot go on
    │   ├── DivergedError
    │   └── InterruptedFitError
    ├── ModelError      a file that is not a valid model
    └── ClusterError    remote workers that are unavailable or do not answer

An error has a code (``table.bad-cell``) and the values of its sentence; the sentences, in every language, are in
``messages/``.
"""

from __future__ import annotations

from typing import Any

from descend.base.messages import has, say


class DescendError(Exception):
    """An error by its code; ``str(error)`` is the English sentence, with what to do.

    ``values`` fill the sentence; ``line`` and ``column`` among them are the place in the file.
    """

    exit_code = 1

    def __init__(self, code: str, **values: Any) -> None:
        super().__init__(code)
        self.code = code
        self.values = values

    @property
    def line(self) -> int | None:
        """The line of the file, counted from 1, None where it is not known."""
        return self.values.get("line")

    @property
    def column(self) -> str | None:
        """The column of the table, None where it is not known."""
        return self.values.get("column")

    def tell(self, lang: str = "en") -> str:
        """Return the error's sentence in a language."""
        return say(self.code, lang, **self.values)

    def hint(self, lang: str = "en") -> str:
        """Return what to do about it, in a language; empty where there is nothing to add."""
        code = f"{self.code}.hint"
        told = say(code, lang, **self.values) if has(code) else ""
        near = self._near()
        return " · ".join(part for part in (say("usage.near", lang, near=near) if near else "", told) if part)

    def _near(self) -> str:
        """Return the known words that a wrong one may mean; "" where the sentence says so itself."""
        word, known = self.values.get("value"), self.values.get("known")
        if "near" in self.values or not isinstance(word, str) or not isinstance(known, str):
            return ""
        from descend.base.spelling import nearest

        return nearest(word, known.split(", "))

    def __str__(self) -> str:
        return "\n".join(part for part in (self.tell(), self.hint()) if part)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.code, self.values)


def _rebuild(kind: type[DescendError], code: str, values: dict[str, Any]) -> DescendError:
    return kind(code, **values)


class TableError(DescendError):
    """A file or a frame that cannot be read as a table."""


class FormulaError(DescendError):
    """A hypothesis outside the grammar; ``text`` and ``position`` say where."""

    exit_code = 2

    @property
    def caret(self) -> str:
        """The formula with a caret under the error."""
        return pointer(str(self.values.get("text", "")), int(self.values.get("position", 0)))

    def __str__(self) -> str:
        return "\n".join(part for part in (self.tell(), self.caret, self.hint()) if part)


class DesignError(DescendError, ValueError):
    """A hypothesis that does not fit the table."""


class UndefinedError(DesignError):
    """An expression that is not defined in some row; ``functions`` are the names of its functions."""

    def hint(self, lang: str = "en") -> str:
        """Return the domain of each function; without functions, that of division and power."""
        told = [say(f"function.{name}", lang) for name in self.values["functions"]]
        return " · ".join(told) or super().hint(lang)


class OptionError(DescendError, ValueError):
    """A setting that makes no sense."""

    exit_code = 2


class FitError(DescendError):
    """A fit that cannot go on."""


class DivergedError(FitError):
    """The loss grew without bound; ``model`` holds the result so far."""

    exit_code = 3

    def __init__(self, code: str, model: Any = None, **values: Any) -> None:
        super().__init__(code, **values)
        self.model = model


class InterruptedFitError(FitError):
    """The fit was interrupted before there was a result to keep."""

    exit_code = 130


class ModelError(DescendError):
    """A file that is not a valid model."""


class ClusterError(DescendError):
    """Remote workers that are unavailable or do not answer."""


def pointer(text: str, position: int) -> str:
    """Return two lines: a window of ``text``, and a caret under ``position``; wide letters (Hangul) take two cells."""
    from unicodedata import category, east_asian_width

    flat = "".join(c if c.isprintable() else " " for c in text)
    position = min(max(position, 0), len(flat))
    start = max(0, position - 60)
    window = flat[start : position + 40]
    before = window[: position - start]

    def width(letter: str) -> int:
        if category(letter) in ("Mn", "Me", "Cf") or "\u1160" <= letter <= "\u11ff":  # combining marks, later jamo
            return 0
        return 2 if east_asian_width(letter) in "WF" else 1

    cells = sum(map(width, before))
    return f"  {window}\n  {' ' * cells}^"
