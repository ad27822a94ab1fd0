"""The parts of a scan, read and kept in memory by Dask workers: local processes or other machines.

What needs Dask is imported where it is used; ``descend[cluster]`` brings it.
"""

from __future__ import annotations

from descend.tables.cluster._executor import Cluster
from descend.tables.cluster.connection import connect

__all__ = ["Cluster", "connect"]
