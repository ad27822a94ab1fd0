"""Print the lowest versions that pyproject.toml declares, as pip takes constraints: ``numpy==2.0.*``."""

import re
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
for requirement in project["dependencies"]:
    name, lowest = re.match(r"([\w-]+).*?>=([\d.]+)", requirement).groups()
    print(f"{name}=={lowest}.*")
