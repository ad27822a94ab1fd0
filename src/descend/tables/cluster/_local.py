"""Worker processes on this machine, started with a scheduler of their own."""

from __future__ import annotations

import logging
import multiprocessing
import signal
from typing import TYPE_CHECKING, Any

from descend.base.errors import ClusterError

if TYPE_CHECKING:
    from contextlib import ExitStack

LOOPBACK = "127.0.0.1:0"  # Dask listens for questions about its health even without a dashboard, else to everyone
LOCAL = {
    "worker_ttl": 60.0,  # seconds after which a worker that gives no sign of life is started again
    "allowed_failures": 2,  # workers that may end one after another over the same part
    "dashboard": False,
    "dashboard_address": LOOPBACK,
}


def start(count: int, memory: int | None, end: ExitStack) -> Any:
    """Start worker processes of one thread each on this machine, which share its memory."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SystemExit(1)  # a worker reads the script that starts it, and would start workers of its own
    from distributed import LocalCluster
    from distributed.system import MEMORY_LIMIT

    try:
        local = LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            worker_dashboard_address=LOOPBACK,
            memory_limit=(memory or MEMORY_LIMIT) // count,
            silence_logs=logging.CRITICAL,
            preload=[__name__],
            scheduler_kwargs=LOCAL,
        )
    except (OSError, RuntimeError, TimeoutError) as error:
        raise ClusterError("cluster.local-start", count=count, reason=str(error).split("\n")[0][:200]) from error
    end.callback(local.close, timeout=5)
    return local


def dask_setup(_worker: Any) -> None:
    """Let a worker ignore Ctrl-C, which a terminal sends to all processes: the process that started it ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
