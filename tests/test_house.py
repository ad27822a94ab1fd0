"""The house: each public name has one home, and every floor says what it is for."""

import ast
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

import pytest

import descend
from descend.base.errors import OptionError
from descend.base.registry import Registry

HOUSE = Path(descend.__file__).parent
FLOORS = [folder.parent for folder in HOUSE.glob("*/__init__.py")]


class Shape:
    def __init__(self, name: str) -> None:
        self.name = name


def test_each_public_function_and_class_has_one_home():
    homes = defaultdict(list)
    for file in HOUSE.rglob("*.py"):
        for made in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(made, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and made.name[0] != "_":
                homes[made.name].append(str(file.relative_to(HOUSE)))
    assert {name: files for name, files in homes.items() if len(files) > 1} == {}


def test_the_package_holds_folders_alone_beside_its_face():
    assert {file.name for file in HOUSE.glob("*.py")} == {"__init__.py", "__main__.py"}


@pytest.mark.parametrize("floor", FLOORS, ids=lambda floor: floor.name)
def test_a_floor_says_what_it_is_for(floor):
    told = ast.get_docstring(ast.parse((floor / "__init__.py").read_text(encoding="utf-8")))
    assert told is not None
    assert len(told) > 40


def test_a_registry_keeps_things_by_name_in_the_order_they_came():
    shapes = Registry("shape")
    made = [shapes.add(Shape(name)) for name in ("round", "flat")]
    assert list(shapes) == ["round", "flat"]
    assert [shapes[name] for name in shapes] == made
    assert shapes.require("flat") is made[1]


def test_a_registry_takes_no_name_twice():
    shapes = Registry("shape")
    shapes.add(Shape("round"))
    with pytest.raises(ValueError, match="round"):
        shapes.add(Shape("round"))


@pytest.mark.parametrize("asked", ["rund", 3, None, ["round"]])
def test_a_registry_tells_which_names_there_are(asked):
    shapes = Registry("loss")
    shapes.add(Shape("round"))
    with pytest.raises(OptionError) as caught:
        shapes.require(asked, "auto")
    assert caught.value.code == "option.loss"
    assert caught.value.values["known"] == "auto, round"


def test_threads_that_ask_at_once_all_find_every_entry(tmp_path, monkeypatch):
    package = tmp_path / "slow_shapes"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from descend.base.registry import Registry\nSHAPES = Registry('shape', __name__)"
    )
    for name in ("flat", "round"):
        (package / f"{name}.py").write_text(
            "import time\nfrom slow_shapes import SHAPES\ntime.sleep(0.2)\n"
            f"@SHAPES.add\nclass Shape:\n    name = {name!r}\n"
        )
    monkeypatch.syspath_prepend(tmp_path)
    shapes = import_module("slow_shapes").SHAPES
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda _: list(shapes), range(4))) == [["flat", "round"]] * 4
