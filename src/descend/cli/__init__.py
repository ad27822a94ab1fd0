"""The command line: ``descend fit scores.csv "score ~ hours"`` and its other commands.

``main`` uses the reader's language, prints every error as a sentence on standard error, returns an exit code, and shows
a traceback only with --debug. Exit codes: 0 done, 1 an error of the table, the model or a lab, 2 of the command or the
formula, 3 diverged, 130 interrupted; 1 also where standard output fails, and 0 where its reader has closed the pipe.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from typing import TYPE_CHECKING

from descend.base.messages import language, say
from descend.cli.streams import json_text, outlets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from descend.base.errors import DescendError

INTERRUPTED = 130
OUT_OF_MEMORY = (  # as other libraries call it
    "failed to map segment", "Cannot allocate memory", "can't start new thread", "Resource temporarily unavailable",
    "out of memory",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code; the entry point of the console script."""
    gc.set_threshold(100_000, 20, 20)  # imports make little garbage: 0.1 s faster with fewer collections
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)  # the end of the process does not look for garbage: 30 ms
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    lang = asked_language(arguments)
    os.environ["DESCEND_LANG"] = lang
    with outlets() as outcome:
        code = _run(arguments, lang)
    if outcome.failure is not None and not isinstance(outcome.failure, BrokenPipeError):  # the reader closed the pipe
        reason = outcome.failure.strerror
        _print_error("usage.output", say("usage.output", lang, reason=reason), "", say("usage.output.hint", lang), lang)
        return code or 1
    if outcome.lost:
        encoding = getattr(sys.stdout, "encoding", "")
        with outlets():
            print(say("usage.letters-lost", lang, encoding=encoding), file=sys.stderr)
    return code


def _run(arguments: list[str], lang: str) -> int:
    """Run the command and return its exit code; every error is printed."""
    if lang != "en":
        _translate_the_parser(lang)
    from descend.base.errors import DescendError, OptionError

    try:
        from descend.cli.app import build_app
        from descend.cli.console import heeding_interrupts
        from descend.cli.suggestions import unquoted

        options = [lang] if "--lang" in arguments else []
        asked = next((word for word in arguments if not word.startswith("-") and word not in options), "")
        if not asked and "--version" not in arguments:
            arguments.append("--help")
        if (formula := unquoted(arguments)) is not None:
            raise OptionError("option.unquoted", formula=formula)
        with heeding_interrupts():
            return int(build_app(lang, arguments)(arguments, standalone_mode=False, prog_name="descend") or 0)
    except DescendError as error:
        if "--debug" in arguments:
            raise
        _tell(error, lang, as_json="--json" in arguments)
        return error.exit_code
    except KeyboardInterrupt:
        _print_error("fit.interrupted-early", say("fit.interrupted-early", lang), "", "", lang)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of the --out pipe closed it
        return 0
    except BaseException as error:
        if "--debug" in arguments or isinstance(error, (SystemExit, GeneratorExit)):
            raise
        if isinstance(error, Exception) and hasattr(error, "format_message"):
            _tell_usage(error, arguments, lang)
            return 2
        code, values = _unforeseen(error)
        _print_error(code, say(code, lang, **values), "", say(f"{code}.hint", lang), lang)
        return 1


def _unforeseen(error: BaseException) -> tuple[str, dict[str, object]]:
    """Return the message for an error that is not a DescendError: one of the system, or a fault of descend."""
    reason = str(error).split("\n")[0][:200]
    if isinstance(error, MemoryError) or any(sign in reason for sign in OUT_OF_MEMORY):
        return "usage.memory", {"reason": reason or type(error).__name__}
    if isinstance(error, OSError) and error.strerror:
        name = "" if error.filename is None else f"{error.filename}: "
        return "usage.system", {"reason": f"{name}{error.strerror}"}
    return "usage.bug", {"kind": type(error).__name__, "reason": reason}


def asked_language(arguments: Sequence[str]) -> str:
    """Return the language of --lang, wherever it stands, else that of the environment."""
    for index, argument in enumerate(arguments):
        if argument == "--lang" and index + 1 < len(arguments):
            return language(arguments[index + 1])
        if argument.startswith("--lang="):
            return language(argument.removeprefix("--lang="))
    return language()


def _translate_the_parser(lang: str) -> None:
    """Give the command-line parser, which uses gettext, the words of its help pages in the reader's language.

    The parser binds gettext at its import, so this must run first.
    """
    import gettext

    words = {
        "Arguments": "panel.arguments",
        "Options": "panel.options",
        "Commands": "panel.commands",
        "[default: {}]": "panel.default",
        "[required]": "panel.required",
    }
    gettext.gettext = lambda message: say(words[message], lang) if message in words else message


def _tell(error: DescendError, lang: str, *, as_json: bool) -> None:
    caret = getattr(error, "caret", "")
    if as_json:
        from descend.base.atomic_files import json_ready

        facts = {
            "code": error.code,
            "message": error.tell(lang),
            "hint": error.hint(lang),
            "line": error.line,
        }
        print(json_text({"error": json_ready(facts)}))
    _print_error(error.code, error.tell(lang), caret, error.hint(lang), lang)


def _tell_usage(error: Exception, arguments: Sequence[str], lang: str) -> None:
    """Print what the command-line parser refused, in the reader's language."""
    from descend.cli.suggestions import near_command, near_option

    kind = type(error).__name__
    code = {
        "NoSuchOption": "no-option",
        "MissingParameter": "missing",
        "BadParameter": "value",
        "NoSuchCommand": "no-command",
    }.get(kind, "other")
    reason = error.format_message()  # type: ignore[attr-defined]
    name = getattr(error, "option_name", None)
    parameter = getattr(error, "param", None)
    if name is None and parameter is not None:
        options = [option for option in parameter.opts if option.startswith("--")]
        name = options[0] if options else str(parameter.name).upper()
    if reason.startswith("No such command"):
        code, name = "no-command", reason.split("'")[1] if "'" in reason else reason
    if name is None and code != "other":
        code = "other"
    command = " ".join(["descend", *[a for a in arguments[:1] if not a.startswith("-") and code != "no-command"]])
    text = say(f"usage.{code}", lang, name=name, reason=reason)
    near = near_command(str(name)) if code == "no-command" else near_option(error)
    hint = say("usage.near", lang, near=near) if near else say("usage.hint", lang, command=command)
    _print_error(f"usage.{code}", text, "", hint, lang)


def _print_error(code: str, text: str, caret: str, hint: str, lang: str) -> None:
    colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    red, plain_style = ("\033[1;31m", "\033[0m") if colour else ("", "")
    print(f"{red}{say('panel.error', lang)}{plain_style} [{code}] {text}", file=sys.stderr)
    for part in (caret, f"→ {hint}" if hint else ""):
        if part:
            print(part, file=sys.stderr)
