"""The examples in docstrings give what they say."""

from __future__ import annotations

import doctest
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

import descend

PACKAGE = Path(descend.__file__).parent
EXTRAS = ("torch", "nicegui", "dask", "sklearn", "psycopg", "fastexcel", "pyreadstat")  # what need not be installed
FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if ">>> " in path.read_text(encoding="utf-8")]
NAMES = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__") for path in FILES]


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_of_a_module_give_what_they_say(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # an example may write a file
    text = Path(PACKAGE.parent, *name.split("."))
    source = (text / "__init__.py" if text.is_dir() else text.with_suffix(".py")).read_text(encoding="utf-8")
    needed = [extra for extra in EXTRAS if f"import {extra}" in source or f"\nfrom {extra}." in source]
    lacking = [extra for extra in needed if find_spec(extra) is None]
    if lacking:
        pytest.skip(f"needs {', '.join(lacking)}")
    found = doctest.testmod(import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert found.attempted > 0, f"the examples of {name} are in no docstring that Python sees"
    assert found.failed == 0


@pytest.mark.parametrize("name", ["parse", "read", "fit", "load", "Model", "compare", "trajectory"])
def test_what_a_person_calls_first_shows_an_example(name):
    assert doctest.DocTestFinder(recurse=False).find(getattr(descend, name))[0].examples
