"""The studio's sliders under the hand, on a thousand rows and on ten million; and how soon a large file is on the page.

The real server on real files, and Chromium before it. A slider's event is timed in the browser: from there to the frame
in which the pictures that answer it are on the screen.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

SIZES = (1_000, 10_000_000)
COLUMNS = 10
CSV_BYTES = 200_000_000
ROUNDS, EACH = 5, 40
HOPELESS = 300_000  # milliseconds
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
MAIN = "from descend.cli import main; raise SystemExit(main())"
SLIDERS = {"learning rate": ".rate-track input", "epoch": ".scrub input", "momentum": ".field.range input"}

# A slider is told, by the event descend:drawn, when a frame shows what its own event asked for.
TIMED = """async ([selector, values]) => {
  const input = document.querySelector(selector);
  const times = [];
  for (const value of values) {
    input.value = String(value);
    const started = performance.now();
    const drawn = new Promise((resolve) => {
      window.addEventListener("descend:drawn", () => resolve(performance.now()), { once: true });
    });
    input.dispatchEvent(new Event("input"));
    times.push(await Promise.race([drawn, new Promise((resolve) => setTimeout(resolve, 20000, Infinity))]) - started);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return times;
}"""
QUIET = """() => new Promise((resolve) => {
  let since = performance.now();
  const look = () => {
    if (document.querySelector(".doing span")?.textContent) since = performance.now();
    if (performance.now() - since > 1500) resolve();
    else setTimeout(look, 50);
  };
  look();
})"""


def table(divisor: int = 1) -> tuple[str, list[dict[str, Any]]]:
    """Return the tables of what was timed, and their rows as facts; sizes above a thousand rows are divided."""
    browser = next(filter(None, map(shutil.which, CHROMIUM)), None)
    missing = [name for name in ("nicegui", "playwright") if find_spec(name) is None]
    if missing or browser is None:
        return f"### studio\n\nNot installed: {', '.join([*missing, *([] if browser else ['Chromium'])])}.", []
    from playwright.sync_api import sync_playwright

    sizes = [SIZES[0], max(SIZES[1] // divisor, SIZES[0])]
    load = os.getloadavg()[0]
    with TemporaryDirectory(prefix="descend-bench-") as folder, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=FLAGS)
        moved = sliders(chromium, Path(folder), sizes)
        arrived = arrivals(chromium, Path(folder), CSV_BYTES // divisor)
        chromium.close()
    loads = f"1-minute load {load:.1f} before, {os.getloadavg()[0]:.1f} after"
    said = f"### studio\n\n{ROUNDS * EACH} events of each slider; {loads}."
    return "\n\n".join([said, slider_table(moved, sizes), arrival_table(arrived)]), [*moved, *arrived]


def sliders(chromium: Browser, folder: Path, sizes: list[int]) -> list[dict[str, Any]]:
    """Return the milliseconds of every slider by size, for one column and for all; sizes take turns."""
    found = []
    with ExitStack() as stack:
        pages = []
        for rows in sizes:
            file = folder / f"{rows}-rows.parquet"
            made(rows).write_parquet(file)
            pages.append(opened(chromium, stack.enter_context(running(folder, file))))
        for hypothesis, expected in (("y ~ x1", 2), ("y ~ .", COLUMNS + 1)):
            for page in pages:
                stated(page, hypothesis, expected)
            for name, selector in SLIDERS.items():
                times: list[list[float]] = [[] for _ in sizes]
                for turn in range(ROUNDS):
                    for page, kept in zip(pages, times, strict=True):
                        page.evaluate(QUIET)
                        kept += page.evaluate(TIMED, [selector, values(name, turn)])
                found += [
                    {"hypothesis": hypothesis, "slider": name, "rows": rows, "milliseconds": kept}
                    for rows, kept in zip(sizes, times, strict=True)
                ]
    return found


def values(slider: str, turn: int) -> list[float]:
    """Return where a slider goes in one turn: to and fro, as a hand does."""
    share = np.abs(np.sin((np.arange(EACH) + turn * EACH) / 7))
    if slider == "learning rate":
        return [float(each) for each in 0.3 + 0.5 * share]
    if slider == "momentum":
        return [float(each) for each in np.round(0.05 + 0.85 * share, 2)]
    return [float(each) for each in np.round(100 * share)]


def made(rows: int) -> Any:
    """Return a made-up table: y and the columns that it is a sum of, with noise."""
    import polars as pl

    random = np.random.default_rng(0)
    weights, total, columns = random.normal(size=COLUMNS), random.normal(size=rows), {}
    for index, weight in enumerate(weights):
        column = random.normal(size=rows)
        total += weight * column
        columns[f"x{index + 1}"] = 3 * column + index
    return pl.DataFrame({**columns, "y": total})


@contextmanager
def running(folder: Path, *arguments: object) -> Iterator[str]:
    """Run ``descend studio`` and yield its address."""
    command = [sys.executable, "-c", MAIN, "studio", "--no-browser", "--port", "0", *map(str, arguments)]
    source = str(Path(__file__).parent.parent / "src")
    environment = {**os.environ, "PYTHONPATH": source, "LANG": "C.UTF-8", "DESCEND_LANG": "en", "TMPDIR": str(folder)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    try:
        assert process.stdout is not None
        address = next(filter(None, (re.search(r"http://\S+", line) for line in process.stdout)), None)
        if address is None:
            raise RuntimeError("the studio did not come up")
        yield address[0]
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def opened(chromium: Browser, address: str) -> Page:
    """Open a tab of its own window."""
    page = chromium.new_context(viewport={"width": 1366, "height": 768}).new_page()
    page.set_default_timeout(HOPELESS)
    page.goto(address)
    return page


def stated(page: Page, hypothesis: str, parameters: int) -> None:
    """State a hypothesis and wait until its fit has been told."""
    page.wait_for_selector(".runs tr.current")
    formula = page.locator(".formula input")
    formula.fill(hypothesis)
    formula.press("Enter")
    formula.blur()
    page.evaluate(QUIET)
    page.locator(".runs tr.current", has_text=hypothesis).wait_for()
    shown = page.locator(".equation").inner_text()
    if len(re.findall(r"[+\-−] ?\d", shown)) < parameters - 2:
        raise RuntimeError(f"not the equation of {hypothesis}: {shown}")


def arrivals(chromium: Browser, folder: Path, size: int) -> list[dict[str, Any]]:
    """Return the seconds until the columns of a CSV's first rows are on the page, and until all of it is read."""
    sample = made(1000).write_csv()
    rows = size // (len(sample) // 1000)
    file = folder / "large.csv"
    made(rows).write_csv(file)
    found = []
    with running(folder) as address:
        page = opened(chromium, address)
        page.wait_for_selector("input[type=file]", state="attached")
        page.evaluate(QUIET)
        started = perf_counter()
        page.set_input_files("input[type=file]", file)
        found.append(arrival("chosen on the page", page, started, file, rows))
    with running(folder, file) as address:
        started = perf_counter()
        found.append(
            arrival(
                "named on the command line, from the page's address on", opened(chromium, address), started, file, rows
            )
        )
    return found


def arrival(how: str, page: Page, started: float, file: Path, rows: int) -> dict[str, Any]:
    """Wait for the first rows and for all of them."""
    page.wait_for_selector(".columns .column")
    preview = perf_counter() - started
    page.locator(".titled", has_text=f"{file.name}: {rows:,} rows").wait_for()
    whole = perf_counter() - started
    return {"how": how, "bytes": file.stat().st_size, "rows": rows, "preview": preview, "whole": whole}


def slider_table(moved: list[dict[str, Any]], sizes: list[int]) -> str:
    """Return medians and 95th percentiles by slider as a Markdown table."""
    heads = [f"{rows:,} rows: median | 95 of 100 within" for rows in sizes]
    lines = [f"| hypothesis | slider | {' | '.join(heads)} | ratio of medians |", "|---|---|" + "---:|" * 5]
    for small, large in zip(moved[::2], moved[1::2], strict=True):
        both = [np.percentile(each["milliseconds"], [50, 95]) for each in (small, large)]
        cells = [f"{value:.0f} ms" for pair in both for value in pair]
        line = [f"`{small['hypothesis']}`", small["slider"], *cells, f"{both[1][0] / both[0][0]:.2f}"]
        lines.append(f"| {' | '.join(line)} |")
    return "\n".join(lines)


def arrival_table(arrived: list[dict[str, Any]]) -> str:
    """Return the same of the large file."""
    lines = [
        f"A CSV file of {arrived[0]['bytes'] / 1e6:.0f} MB, {arrived[0]['rows']:,} rows x {COLUMNS + 1} columns:\n",
        "| how it comes | its columns on the page | all of it read |",
        "|---|---:|---:|",
    ]
    lines += [f"| {each['how']} | {each['preview']:.1f} s | {each['whole']:.1f} s |" for each in arrived]
    return "\n".join(lines)
