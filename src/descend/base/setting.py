"""Settings: each is declared once; Python, the command line, the page and the estimators read the declaration.

Plain classes, because creating dataclasses would lengthen the start of the command line by ten milliseconds.
"""

from __future__ import annotations

from math import inf
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal

from descend.base.arguments import require
from descend.base.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LARGEST_COUNT = 10**18  # fits in int64


class Kind:
    """The kind of a setting's value: its type, its range, and how a text is parsed.

    option: the type of the value on the command line.
    """

    option: type = str

    @property
    def known(self) -> tuple[str, ...]:
        """The allowed texts; empty where any value is allowed."""
        return ()

    def require(self, name: str, value: Any, *, objects: bool = False) -> None:
        """Raise OptionError for a value of another type; ``objects``: functions and objects are allowed too."""

    def check(self, name: str, value: Any, *, objects: bool = False) -> None:
        """Raise OptionError for a value of the right type that is out of range."""

    def parse(self, name: str, text: str) -> Any:
        """Return the value of a text from the command line or the page; raises OptionError."""
        return text

    def written(self, value: Any) -> Any:
        """Return a value as it is written on the command line and the page, where a text says it; else the value."""
        return value


class Flag(Kind):
    """A bool, or None where it is ``optional``."""

    option = bool

    def __init__(
        self,
        optional: bool = False,
    ) -> None:
        self.optional = optional

    def require(self, name: str, value: Any, *, objects: bool = False) -> None:
        """Raise OptionError unless the value is a bool."""
        require(name, value, "bool", *(["None"] if self.optional else []))


class Text(Kind):
    """A string, one of ``choices`` where these are given."""

    def __init__(
        self,
        choices: Callable[[], Iterable[str]] | None = None,
        code: str = "",
        others: tuple[str, ...] = (),
        first: tuple[str, ...] = (),
        objects: bool = False,
    ) -> None:
        self.choices = choices
        self.code = code
        self.others = others
        self.first = first
        self.objects = objects

    @property
    def known(self) -> tuple[str, ...]:
        """The choices, after ``first``."""
        return () if self.choices is None else (*self.first, *self.choices())

    def require(self, name: str, value: Any, *, objects: bool = False) -> None:
        """Raise OptionError unless the value is a string."""
        require(name, value, "str", *self.others, *(["function", "object"] if self.objects and objects else []))

    def check(self, name: str, value: Any, *, objects: bool = False) -> None:
        """Raise OptionError for a string that is not among the choices."""
        if not self.code or self.choices is None or (self.objects and objects and callable(value)):
            return
        if value not in self.known:
            raise OptionError(self.code, value=value, known=", ".join(self.choices()))


class Words(Kind):
    """Strings; the option is repeated to give several."""


class RealNumber(Kind):
    """A real number between ``low`` and ``high``.

    open_low, open_high: whether the end itself is out of range. optional: whether None is allowed, for the default.
        words: strings that are allowed besides. code: of the error for a number out of range; zero: of the error for 0,
        where it differs; unread: of the error for a text that is not a number.
    """

    def __init__(
        self,
        low: float = -inf,
        high: float = inf,
        *,
        open_low: bool = False,
        open_high: bool = False,
        optional: bool = False,
        words: tuple[str, ...] = (),
        code: str = "option.not-negative",
        zero: str = "",
        unread: str = "option.not-number",
    ) -> None:
        self.low = low
        self.high = high
        self.open_low = open_low
        self.open_high = open_high
        self.optional = optional
        self.words = words
        self.code = code
        self.zero = zero
        self.unread = unread

    @property
    def option(self) -> type:  # type: ignore[override]
        """float, or str where words are allowed."""
        return str if self.words else float

    def require(self, name: str, value: Any, *, objects: bool = False) -> None:
        """Raise OptionError unless the value is a number."""
        number = isinstance(value, Real) and not isinstance(value, bool)
        if not number and not self._stands(value):
            raise OptionError("option.not-number", name=name, value=value)

    def check(self, name: str, value: Any, *, objects: bool = False) -> None:
        """Raise OptionError for a number out of range."""
        if self._stands(value):
            return
        if self.zero and value == 0:
            raise OptionError(self.zero, value=value)
        above = value > self.low if self.open_low else value >= self.low
        if not (above and (value < self.high if self.open_high else value <= self.high)):
            raise OptionError(self.code, name=name, value=value)

    def parse(self, name: str, text: str) -> Any:
        """Return the number of a text, or the word itself."""
        if text in self.words:
            return text
        try:
            return float(text)
        except ValueError as error:
            raise OptionError(self.unread, name=name, value=text) from error

    def _stands(self, value: Any) -> bool:
        return (value is None and self.optional) or (isinstance(value, str) and value in self.words)


class Whole(Kind):
    """A whole number from 0, or None where it is ``optional``."""

    option = int

    def __init__(
        self,
        optional: bool = False,
    ) -> None:
        self.optional = optional

    def check(self, name: str, value: Any, *, objects: bool = False) -> None:
        """Raise OptionError unless the value is a whole number from 0."""
        if value is None and self.optional:
            return
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 0:
            raise OptionError("option.not-negative", name=name, value=value)


class Amount(Kind):
    """A number from ``low`` to ``high``, whole on the command line, and everywhere if ``whole``. code: of the error."""

    option = int

    def __init__(
        self,
        low: float,
        high: float,
        code: str,
        whole: bool = False,
    ) -> None:
        self.low = low
        self.high = high
        self.code = code
        self.whole = whole

    def require(self, name: str, value: Any, *, objects: bool = False) -> None:
        """Raise OptionError unless the value is a number."""
        require(name, value, "float")

    def check(self, name: str, value: Any, *, objects: bool = False) -> None:
        """Raise OptionError for a value out of range."""
        if not self.low <= value <= self.high or (self.whole and value != int(value)):
            raise OptionError(self.code, name=name, value=value)


class Count(Kind):
    """A whole number from 1, or None."""

    option = int

    def check(self, name: str, value: Any, *, objects: bool = False) -> None:
        """Raise OptionError unless the value is None or a whole number from 1 to 10**18."""
        number = isinstance(value, Real) and not isinstance(value, bool)
        if number and LARGEST_COUNT < value < inf:
            raise OptionError("option.count-large", name=name, most=LARGEST_COUNT)
        if value is not None and not (number and 1 <= value <= LARGEST_COUNT and value == int(value)):
            raise OptionError("option.count", name=name, value=value)


class Control:
    """The control of a setting on the page.

    placeholder: the text of an empty control; sentence: the same as a key under [studio].
    step: of a "range", which goes from 0 to ``most``; live: whether the pictures follow it while it moves.
    """

    def __init__(
        self,
        kind: Literal["text", "number", "select", "check", "range", "words"],
        placeholder: str = "",
        *,
        sentence: str = "",
        step: float | None = None,
        most: float | None = None,
        live: bool = False,
    ) -> None:
        self.kind = kind
        self.placeholder = placeholder
        self.sentence = sentence
        self.step = step
        self.most = most
        self.live = live


class Need:
    """A condition without which a setting has no effect.

    told: returns its description for an error. met: tells whether a recipe meets it.
    """

    def __init__(self, told: Callable[[], str], met: Callable[[Any], bool]) -> None:
        self.told = told
        self.met = met


class Setting:
    """One setting: its name, kind and default, its conditions, its option and its control.

    panel: the panel of a command's help that lists the option; "": there is no option.
    word: the option's name where it differs from the setting's.
    commands: the commands that take the option. control: the page's control; None: there is none.
    owner: "optimizer" or "schedule" for a setting that only some of these have, "equation" for one of its parameters.
    lacking: the error code for one without it, by default ``option.no-effect``.
    stepwise: whether it applies only to a run epoch by epoch.
    """

    def __init__(
        self,
        name: str,
        kind: Kind,
        default: Any = None,
        *,
        panel: str = "",
        word: str = "",
        commands: tuple[str, ...] = (),
        needs: tuple[Need, ...] = (),
        control: Control | None = None,
        owner: str = "",
        lacking: str = "",
        stepwise: bool = False,
    ) -> None:
        self.name = name
        self.kind = kind
        self.default = default
        self.panel = panel
        self.parameter = word or name  # the name of the commands' parameter
        self.commands = commands
        self.needs = needs
        self.control = control
        self.owner = owner
        self.lacking = lacking
        self.stepwise = stepwise

    @property
    def help(self) -> str:
        """The key under [help] of the option's sentence."""
        return self.parameter.replace("_", "-")

    @property
    def flags(self) -> tuple[str, ...]:
        """The option's flags; for a switch whose default is not off also the one that turns it off."""
        switched = isinstance(self.kind, Flag) and self.default is not False
        return (f"--{self.help}", f"--no-{self.help}") if switched else (f"--{self.help}",)
