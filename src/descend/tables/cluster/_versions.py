"""Whether the machines of a cluster have the Python and the descend that this one has."""

from __future__ import annotations

import platform
import pydoc
from typing import TYPE_CHECKING

from descend.base.errors import ClusterError
from descend.base.version import __version__

if TYPE_CHECKING:
    from descend.tables.cluster._client import Link

TOLD = 3  # workers that an error names


def refuse_versions(link: Link) -> None:
    """Raise ClusterError where the scheduler or a worker has another Python, or another descend, or none."""
    own = (__version__, _minor(platform.python_version()))
    # Python's own functions, which any worker has
    descends = link.run(pydoc.locate, "descend.__version__")
    pythons = link.run(platform.python_version)
    both = descends.keys() & pythons.keys()  # a worker may have come or gone between the two
    theirs = {address: (descends[address], _minor(pythons[address])) for address in sorted(both)}
    other = {address: versions for address, versions in theirs.items() if versions != own}
    if other:
        told = [
            f"{address} (descend {descend}, Python {python})" if descend else f"{address} (Python {python})"
            for address, (descend, python) in list(other.items())[:TOLD]
        ]
        code = "cluster.versions" if all(descend for descend, _ in other.values()) else "cluster.no-descend"
        more = ", …" if len(other) > TOLD else ""
        raise ClusterError(code, found=", ".join(told) + more, descend=own[0], python=own[1], count=len(other))


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])
