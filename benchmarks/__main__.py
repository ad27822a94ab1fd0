"""python -m benchmarks [NAME ...] [--out FOLDER] [--quick]: run all benchmarks, or those named, peers side by side.

Prints tables of medians and ratios and writes them to benchmarks.md and benchmarks.json, with a picture of each race.
A name is a benchmark's (logistic) or that of one of its races (logistic-1e6x50).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import beyond, calls, curves, decay, digits, epochs, exactness, minibatches, planted, startup, studio
from benchmarks.climbing import REPEATS, Caps, run, say
from benchmarks.contest import Absent
from benchmarks.pairs import measure
from benchmarks.pictures import draw
from benchmarks.races import BENCHMARKS, QUICK, RACES
from benchmarks.tables import machine, machine_line, pair_table, race_facts, race_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.contest import Race
    from benchmarks.pairs import Case

CASES: dict[str, Callable[[int], list[Case]]] = {
    "calls": calls.cases,
    "decay": decay.cases,
    "startup": startup.cases,
    "epochs": epochs.cases,
    "minibatches": minibatches.cases,
}
OTHERS: dict[str, Callable[[int], tuple[str, list[dict[str, Any]]]]] = {
    "exactness": lambda _: exactness.table(),
    "digits": lambda _: digits.accuracies(),
    "curves": lambda _: curves.table(),
    "planted": planted.table,
    "studio": studio.table,
}
RESULTS = Path(__file__).parent / "results"
QUICK_CAPS = Caps(rung=5.0, contestant=10.0)


def main() -> None:
    options = arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    divisor, caps = (QUICK, QUICK_CAPS) if options.quick else (1, Caps())
    if options.cap is not None:
        caps = Caps(options.cap, 2 * options.cap)
    facts: dict[str, Any] = {"machine": machine(), "quick": options.quick, "benchmarks": {}}
    page: list[str] = []

    def tell(text: str, name: str, found: dict[str, Any] | list[Any]) -> None:
        print(f"{text}\n", flush=True)
        page.append(text)
        facts["benchmarks"][name] = found
        (options.out / "benchmarks.md").write_text("\n\n".join(page) + "\n", encoding="utf-8")
        (options.out / "benchmarks.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")

    page.append(f"# Benchmarks\n\n{machine_line()}")
    print(page[0] + "\n", flush=True)
    for name in [each for each in CASES if each in options.names]:
        tell(*cases(name, CASES[name](divisor), 1 if options.quick else REPEATS))
    for name in [each for each in OTHERS if each in options.names]:
        text, rows = OTHERS[name](divisor)
        tell(text, name, rows)
    if "beyond" in options.names:
        rows = 100_000 if options.quick else int(options.rows)
        text, found = beyond.table(rows, options.folder, options.cap, dict(options.python))
        tell(text, "beyond", found)
    for name in [each for each in RACES if each in options.names]:
        say(name)
        try:
            race, small = RACES[name](divisor), RACES[name](QUICK)
        except Absent as absent:
            tell(f"### {name}\n\nSkipped: {absent}.", name, {"skipped": str(absent)})
            continue
        tell(*contest(race, small, caps, divisor, options.out))
        del race, small


def arguments() -> argparse.Namespace:
    """Return the options; names of benchmarks are spelt out into those of their races."""
    known = [*CASES, *OTHERS, "beyond", *BENCHMARKS, *RACES]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER", help="default: benchmarks/results")
    parser.add_argument("--quick", action="store_true", help=f"sizes divided by about {QUICK}, to see that all works")
    parser.add_argument("--cap", type=float, metavar="SECONDS", help="for one run; twice that for a contestant")
    aside = parser.add_argument_group("beyond")
    aside.add_argument("--rows", type=float, default=beyond.ROWS, help=f"default: {beyond.ROWS:,}")
    aside.add_argument("--folder", type=Path, help="where the file is made, and kept; default: the temporary folder")
    aside.add_argument(
        "--python", type=other_python, action="append", default=[], metavar="PACKAGE=PATH",
        help="the Python that has a peer's package, where it is not this one: pyspark=/opt/spark/bin/python",
    )  # fmt: skip
    options = parser.parse_args()
    unknown = set(options.names) - set(known)
    if unknown:
        parser.error(f"no {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    chosen = options.names or [*CASES, *OTHERS, "beyond", *BENCHMARKS]
    options.names = [race for name in chosen for race in BENCHMARKS.get(name, [name])]
    return options


def other_python(text: str) -> tuple[str, str]:
    """Return a package and the path of the Python that has it."""
    package, equals, path = text.partition("=")
    if not equals or not Path(path).exists():
        raise argparse.ArgumentTypeError(f"not PACKAGE=PATH of a Python that is there: {text}")
    return package, path


def cases(name: str, made: list[Case], repeats: int) -> tuple[str, str, list[Any]]:
    """Return a table of cases, its name and its facts."""
    measured = [measure(case, repeats) for case in made]
    pairs = [pair for found, _ in measured for pair in found]
    missing = [peer for _, names in measured for peer in names]
    blocks = [f"### {name}", pair_table(pairs), skipped(missing)]
    return "\n\n".join(filter(None, blocks)), name, [vars(pair) for pair in pairs]


def contest(race: Race, small: Race, caps: Caps, divisor: int, folder: Path) -> tuple[str, str, dict[str, Any]]:
    """Return a race's table with its picture, its name and its facts."""
    standings, missing = run(race, small, caps, divisor)
    picture = draw(race, standings, folder)
    blocks = [race_table(race, standings), skipped(missing), f"![{race.name}]({picture.name})"]
    text = "\n\n".join(filter(None, blocks))
    return text, race.name, race_facts(race, standings, missing)


def skipped(missing: list[str]) -> str:
    """Return the line about peers that are not installed."""
    return f"Not installed: {', '.join(dict.fromkeys(missing))}. `pip install descend[bench]`" if missing else ""


if __name__ == "__main__":
    main()
