"""The documents: every command with its output is run, and prints what stands there.

``python tests/test_documents.py`` writes the outputs anew.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("README.md", "docs/equations.md")
SHOWN = re.compile(r"(?m)^    ([^\n]*\bdescend [^\n]*)\n\n```text\n(.*?)```\n", re.DOTALL)
OF_THE_MACHINE = (  # what hangs on the last digits of a processor's arithmetic
    (r"\d\.\d+e-\d\d(?!\d)", "#"),
    (r"Levenberg-Marquardt:\s+\d+ steps", "Levenberg-Marquardt: # steps"),
    (r"loss [\d.]+ →", "loss # →"),
    (r"all \d+ starts", "all # starts"),
)


def printed(command: str, folder: Path) -> str:
    """Run a document's command in a folder that has the examples; returns what it prints, errors too."""
    words = shlex.split(command.rpartition("&& ")[2])
    assert words[0] == "descend"
    environment = {**os.environ, "DESCEND_LANG": "en", "COLUMNS": "100"}
    made = subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    return made.stdout + made.stderr


def prepared(folder: Path) -> Path:
    (folder / "examples").symlink_to(ROOT / "examples")
    return folder


def settled(text: str) -> str:
    """Return an output without what hangs on the machine, its lines joined: they break where figures are shorter."""
    text = " ".join(text.split())
    for pattern, instead in OF_THE_MACHINE:
        text = re.sub(pattern, instead, text)
    return text


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_command_of_a_document_prints_what_stands_there(name, tmp_path):
    shown = SHOWN.findall((ROOT / name).read_text(encoding="utf-8"))
    assert shown
    folder = prepared(tmp_path)
    for command, expected in shown:
        assert settled(expected) in settled(printed(command, folder)), command  # some show a part


def test_every_line_of_python_in_the_page_on_equations_gives_what_stands_there(tmp_path, monkeypatch):
    monkeypatch.chdir(prepared(tmp_path))
    failed, tried = doctest.testfile(str(ROOT / "docs/equations.md"), module_relative=False)
    assert tried > 5
    assert not failed


def renewed(text: str, folder: Path) -> str:
    """Return a document with the outputs that its commands print now."""
    return SHOWN.sub(lambda found: f"    {found[1]}\n\n```text\n{printed(found[1], folder)}```\n", text)


if __name__ == "__main__":
    import tempfile

    page = ROOT / "docs/equations.md"
    with tempfile.TemporaryDirectory() as made:
        page.write_text(renewed(page.read_text(encoding="utf-8"), prepared(Path(made))), encoding="utf-8")
