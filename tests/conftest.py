"""What several test files share: the example files and a table of known make."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from database_fixtures import place, postgresql, postgresql_server, sqlite  # noqa: F401
from hypothesis import settings
from studio_fixtures import _module_studio, browser, open_tab, page, studio_server  # noqa: F401

from descend.cli import main
from descend.tables.scans import parquet

ROOT = Path(__file__).parent.parent
os.environ["DESCEND_LANG"] = "en"
if hasattr(signal, "SIGHUP"):
    signal.signal(
        signal.SIGHUP, signal.SIG_DFL
    )  # under nohup it is ignored, and the programs under test would inherit that

# in CI the same examples every time, so that a change is judged by itself; elsewhere new ones are looked for
settings.register_profile("descend", deadline=None, derandomize=bool(os.environ.get("CI")))  # no test asserts times
settings.load_profile("descend")


def pytest_collection_modifyitems(items):
    """Refuse a test that is called otherwise in every process: two of them could not share the work."""
    unsteady = [item.nodeid for item in items if " at 0x" in item.nodeid]
    if unsteady:
        raise pytest.UsageError(f"the name of a test holds an address: {unsteady[0]}")


@pytest.fixture
def small_parts(monkeypatch):
    """Let Parquet files be read in parts of 700 rows."""
    monkeypatch.setattr(parquet, "PART_CELLS", 1)
    monkeypatch.setattr(parquet, "FEWEST", 700)


def called(capsys, *arguments):
    """Run the command line in this process, which is quicker; returns the exit code and both outputs."""
    before = os.environ.get("DESCEND_LANG", "en")
    try:
        code = main([str(argument) for argument in arguments])
    finally:
        os.environ["DESCEND_LANG"] = before  # it is where main leaves the language that it was asked for
    out = capsys.readouterr()
    return code, out.out, out.err


@pytest.fixture
def scores() -> Path:
    return ROOT / "examples" / "scores.csv"


@pytest.fixture
def penguins() -> Path:
    return ROOT / "examples" / "penguins.csv"


@pytest.fixture
def noisy() -> dict[str, np.ndarray]:
    """120 rows: y = 3 + 2 a - b + noise, c unrelated, and classes drawn from logits."""
    random = np.random.default_rng(7)
    a, b, c = random.normal(10, 4, 120), random.normal(0, 0.1, 120), random.uniform(0, 1000, 120)
    y = 3 + 2 * a - 20 * b + random.normal(0, 1, 120)
    logit = 0.5 * (a - 10) - 10 * b
    passed = np.where(random.uniform(size=120) < 1 / (1 + np.exp(-logit)), "yes", "no")
    group = random.choice(["u", "v", "w"], 120)
    return {"a": a, "b": b, "c": c, "y": y, "passed": passed, "group": group}
