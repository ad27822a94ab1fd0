"""From an address to a cluster that answers, with the programs that this machine has."""

from __future__ import annotations

import asyncio
import logging
import re
import warnings
from contextlib import ExitStack, contextmanager, suppress
from threading import Lock
from typing import TYPE_CHECKING, Any

from descend.base.errors import ClusterError, OptionError
from descend.tables.cluster._client import Link
from descend.tables.cluster._executor import Cluster
from descend.tables.cluster._local import start
from descend.tables.cluster._versions import refuse_versions

if TYPE_CHECKING:
    from collections.abc import Iterator


ANSWER = 8.0  # seconds in which a scheduler answers
PATIENCE = 30.0
LOGGERS = ("distributed", "tornado", "asyncio")
_levels: dict[logging.Logger, list[int]] = {}  # of each logger, as every open cluster found it
_levels_lock = Lock()


def connect(where: Any, *, patience: float = PATIENCE, memory: int | None = None) -> Cluster:
    """Return the workers of a cluster.

    where: the address of a Dask scheduler (tcp://HOST:PORT, tls://HOST:PORT with the certificates that Dask's own
        configuration names), "local:N" for N worker processes on this machine, or a ``distributed.Client``.
    patience: seconds to wait for a worker where there is none, and without news of those that work before they are
        looked at.
    memory: bytes for all local workers together; None: what this machine has.

    Raises OptionError where ``where`` is none of these or Dask is not installed, and ClusterError where nobody answers,
    or the workers have another Python or descend.
    """
    try:
        import distributed
    except ModuleNotFoundError as error:
        raise OptionError("cluster.needs-extra") from error
    with ExitStack() as end:
        end.enter_context(_quiet())
        if isinstance(where, distributed.Client):
            client, address = where, str(where.scheduler.address)
        elif isinstance(where, str) and (found := re.fullmatch(r"local:([1-9]\d{0,3})", where)):
            local = start(int(found[1]), memory, end)
            client, address = _client(local.scheduler_address, end), where
        elif isinstance(where, str) and re.fullmatch(r"(tcp|tls)://\S+:\d+", where):
            client, address = _client(where, end), where
        else:
            raise OptionError("cluster.address", where=where)
        link = Link(client, address, patience)
        _wait_for_workers(client, link)
        refuse_versions(link)
        return Cluster(link, end.pop_all())


def _client(address: str, end: ExitStack) -> Any:
    from concurrent.futures import ThreadPoolExecutor

    from distributed import Client

    try:
        with ThreadPoolExecutor(1) as aside, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Dask's own versions, where they differ
            aside.submit(asyncio.run, _answer(address)).result()  # where a loop runs here already, as in a notebook
            client = Client(address, timeout=ANSWER, set_as_default=False)
    except OSError as error:
        raise ClusterError("cluster.unreachable", address=address, seconds=ANSWER) from error
    except (ValueError, TypeError, RuntimeError, ImportError) as error:
        reason = str(error).split("\n")[0][:200]
        raise ClusterError("cluster.refused", address=address, reason=reason) from error
    end.callback(_close, client)
    return client


async def _answer(address: str) -> None:
    """Raise OSError where no scheduler answers in time; Dask's own client would wait for ever for some."""
    from distributed.core import rpc
    from distributed.security import Security

    own = Security().get_connection_args("client")
    async with rpc(address, timeout=ANSWER, connection_args=own) as scheduler:
        await asyncio.wait_for(scheduler.identity(), ANSWER)


def _close(client: Any) -> None:
    with suppress(Exception):  # the scheduler may be gone
        client.close(timeout=2)


def _wait_for_workers(client: Any, link: Link) -> None:
    try:
        client.wait_for_workers(1, timeout=link.patience)
    except TimeoutError as error:
        raise ClusterError("cluster.no-workers", address=link.address, seconds=link.patience) from error
    except OSError as error:
        raise link.lost() from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask's loggers to what is critical while any cluster is open: what a person should know descend tells."""
    known = [name for name in logging.root.manager.loggerDict if name.split(".")[0] in LOGGERS]
    loggers = [logging.getLogger(name) for name in {*LOGGERS, *known}]
    with _levels_lock:
        for logger in loggers:
            _levels.setdefault(logger, []).append(logger.level)
            logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        with _levels_lock:
            for logger in loggers:
                before = _levels[logger].pop()
                if not _levels[logger]:
                    logger.setLevel(before)
