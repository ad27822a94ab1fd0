"""Who reads the parts of a scan, as it is asked for: this machine or a cluster."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from descend.tables.executors import Threads

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from descend.tables.executors import Workers


def workers_of(cluster: Any) -> AbstractContextManager[Workers]:
    """Return the workers that are asked for: those of a cluster, or this machine's threads where there is none."""
    if cluster is None or hasattr(cluster, "each"):
        return nullcontext(cluster or Threads())
    from descend.tables.cluster.connection import connect

    return connect(cluster)
