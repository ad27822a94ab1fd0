"""Settings: each is declared once, and Python, the command line, the page and the estimators read the declaration.

The classes are plain: to make a dataclass of each takes a start of the command line ten milliseconds.
"""

from __future__ import annotations

from math import inf
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal

from descend.base.arguments import require
from descend.base.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LARGEST_COUNT = 10**18  # an int64 holds it


class Kind:
    """What a setting can be: its type, its range, and how it is read from a text.

    option: the type of its value on the command line.
    """

    option: type = str

    @property
    def known(self) -> tuple[str, ...]:
        """The texts that can be chosen; none where anything is taken."""
        return ()

    def require(self, name: str, value: Any, *, objects: bool = False) -> None:
        """Raise OptionError for a value of another type; ``objects``: where functions and objects are taken too."""

    def check(self, name: str, value: Any, *, objects: bool = False) -> None:
        """Raise OptionError for a value of the right type that is out of range."""

    def parse(self, name: str, text: str) -> Any:
        """Return the value that a text on the command line or the page stands for; raises OptionError."""
        return text


class Flag(Kind):
    """Yes or no; ``optional``: or None."""

    option = bool

    def __init__(
        self,
        optional: bool = False,
    ) -> None:
        self.optional = optional

    def require(self, name: str, value: Any, *, objects: bool = False) -> None:
        """Refuse what is no bool."""
        require(name, value, "bool", *(["None"] if self.optional else []))


class Text(Kind):
    """A text, of ``choices`` where there are any."""

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
        """The choices, ``first`` before them."""
        return () if self.choices is None else (*self.first, *self.choices())

    def require(self, name: str, value: Any, *, objects: bool = False) -> None:
        """Refuse what is no text."""
        require(name, value, "str", *self.others, *(["function", "object"] if self.objects and objects else []))

    def check(self, name: str, value: Any, *, objects: bool = False) -> None:
        """Refuse a text that cannot be chosen."""
        if not self.code or self.choices is None or (self.objects and objects and callable(value)):
            return
        if value not in self.known:
            raise OptionError(self.code, value=value, known=", ".join(self.choices()))


class Words(Kind):
    """Texts, of which an option names one each time it is given."""


class RealNumber(Kind):
    """A real number: above or from ``low``, below or up to ``high``.

    open_low, open_high: whether the end itself is out of range. optional: whether None stands for the usual value.
    is another one; unread: for a text that is no number.
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
        """A text where words stand for numbers too."""
        return str if self.words else float

    def require(self, name: str, value: Any, *, objects: bool = False) -> None:
        """Refuse what is no number."""
        number = isinstance(value, Real) and not isinstance(value, bool)
        if not number and not self._stands(value):
            raise OptionError("option.not-number", name=name, value=value)

    def check(self, name: str, value: Any, *, objects: bool = False) -> None:
        """Refuse a number that is out of range."""
        if self._stands(value):
            return
        if self.zero and value == 0:
            raise OptionError(self.zero, value=value)
        above = value > self.low if self.open_low else value >= self.low
        if not (above and (value < self.high if self.open_high else value <= self.high)):
            raise OptionError(self.code, name=name, value=value)

    def parse(self, name: str, text: str) -> Any:
        """Return the number that a text says, or its word."""
        if text in self.words:
            return text
        try:
            return float(text)
        except ValueError as error:
            raise OptionError(self.unread, name=name, value=text) from error

    def _stands(self, value: Any) -> bool:
        return (value is None and self.optional) or (isinstance(value, str) and value in self.words)


class Whole(Kind):
    """A whole number from 0, None for the usual one where it is ``optional``."""

    option = int

    def __init__(
        self,
        optional: bool = False,
    ) -> None:
        self.optional = optional

    def check(self, name: str, value: Any, *, objects: bool = False) -> None:
        """Refuse what is no whole number from 0."""
        if value is None and self.optional:
            return
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 0:
            raise OptionError("option.not-negative", name=name, value=value)


class Amount(Kind):
    """A number from ``low`` to ``high``, whole on the command line; ``whole``: everywhere. code: the error."""

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
        """Refuse what is no number."""
        require(name, value, "float")

    def check(self, name: str, value: Any, *, objects: bool = False) -> None:
        """Refuse what is out of range."""
        if not self.low <= value <= self.high or (self.whole and value != int(value)):
            raise OptionError(self.code, name=name, value=value)


class Count(Kind):
    """A whole number from 1, or None."""

    option = int

    def check(self, name: str, value: Any, *, objects: bool = False) -> None:
        """Refuse what is no whole number from 1 to 10**18."""
        number = isinstance(value, Real) and not isinstance(value, bool)
        if number and LARGEST_COUNT < value < inf:
            raise OptionError("option.count-large", name=name, most=LARGEST_COUNT)
        if value is not None and not (number and 1 <= value <= LARGEST_COUNT and value == int(value)):
            raise OptionError("option.count", name=name, value=value)


class Control:
    """A setting's control on the page.

    placeholder: what an empty control shows; sentence: the same as a key under [studio]. step: of a "range", which goes
    from 0 to ``most``; live: whether the pictures follow it while it moves.
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
    """What a setting has no effect without: how an error tells it, and whether a recipe has it."""

    def __init__(self, told: Callable[[], str], met: Callable[[Any], bool]) -> None:
        self.told = told
        self.met = met


class Setting:
    """One setting: its name, kind and default; what it needs; its option and its control.

    panel: of the commands' help, under which the option stands; "": there is no option.
    word: what the option is called where it is not called as the setting is.
    commands: those that take the option. control: the page's; None: there is none.
    owner: "optimizer" or "schedule" of a setting that only some of these have; lacking: the error for one that has it
    not, where it is not ``option.no-effect``. stepwise: whether it is of a run epoch by epoch alone.
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
        self.parameter = word or name  # what the commands call it
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
        """The option; of what is on, or not known, unless it is switched off also the one that switches it off."""
        switched = isinstance(self.kind, Flag) and self.default is not False
        return (f"--{self.help}", f"--no-{self.help}") if switched else (f"--{self.help}",)
