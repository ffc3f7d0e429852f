"""The Dask cluster that `train_model.py --scheduler` names: reached, looked over, its failures told in one line.

Hands the work of joblib over to it. Knows no models and no data.
"""

from __future__ import annotations

import asyncio
import io
import logging
import platform
from _thread import interrupt_main
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from threading import Event, Thread
from time import sleep
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

from marsshot.core.catalog import LocalizedText
from marsshot.core.errors import InputError, MarsShotError

if TYPE_CHECKING:
    from distributed import Client

CONNECT_TIMEOUT_SECONDS, REPLY_TIMEOUT_SECONDS = 10.0, 30.0
POLL_SECONDS = 1.0
CODE_GLOBS = ("*.py", "marsshot/**/*.py", "embedded_market/**/*.py")  # what a sweep runs on
# What all must have in the same version, as they have the same Python, for the same search to give the same numbers.
MATCHED_PACKAGES = ("scikit-learn", "numpy", "scipy", "pandas", "joblib", "distributed")
INSTALL = "pip install -r requirements/distributed.txt"


class ClusterError(MarsShotError):
    """The cluster is not there, is not fit for the work or broke down in the middle. No file was touched."""


@contextmanager
def cluster_threads(scheduler: str | None) -> Iterator[int | None]:
    """Yield the number of threads of the cluster that the block's joblib works on; None without a scheduler.

    scheduler: an address such as tcp://10.0.0.5:8786. Raises InputError, ClusterError.
    """
    if scheduler is None:
        yield None
        return
    try:
        from distributed import Client  # noqa: PLC0415 - for --scheduler only
    except ImportError:
        raise InputError(LocalizedText("training.cluster.not_installed", remedy=INSTALL)) from None
    from joblib import parallel_config  # noqa: PLC0415

    with _muted_distributed_logs():
        _check(scheduler)
        with (
            Client(scheduler, timeout=REPLY_TIMEOUT_SECONDS) as client,
            _abort_on_lost_worker(scheduler, client),
            parallel_config(backend="dask"),
        ):
            yield sum(client.nthreads().values())


def send_code(folder: Path) -> None:
    """Give every worker of the cluster that stands the modules and packages of this folder: a worker has none of ours.

    Call it within `cluster_threads`.
    """
    from distributed import default_client  # noqa: PLC0415

    archive = io.BytesIO()
    paths = sorted(path for pattern in CODE_GLOBS for path in folder.glob(pattern))
    with ZipFile(archive, "w") as file:
        for path in paths:
            file.write(path, path.relative_to(folder))
    ours = {path.relative_to(folder).parts[0].removesuffix(".py") for path in paths}

    # A function of a function: it travels with its code, while a worker would look for one of a module of ours.
    def take(content: bytes) -> None:
        import sys  # noqa: PLC0415
        import tempfile  # noqa: PLC0415

        with tempfile.NamedTemporaryFile(suffix=".zip", delete=False) as kept:
            kept.write(content)
        sys.path.insert(0, kept.name)
        for name in [name for name in sys.modules if name.split(".")[0] in ours]:
            del sys.modules[name]  # of an earlier sweep, perhaps with other code

    default_client().run(take, archive.getvalue())


@contextmanager
def _muted_distributed_logs() -> Iterator[None]:
    """Keep distributed from telling the same failure in a page of tracebacks."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _check(scheduler: str) -> None:
    """Refuse what is no cluster, or one that would give other numbers than this machine."""
    try:
        found = asyncio.run(asyncio.wait_for(_versions(scheduler), REPLY_TIMEOUT_SECONDS))
    except (ValueError, TypeError) as error:
        raise InputError(
            LocalizedText("training.cluster.no_address", scheduler=scheduler, problem=str(error))
        ) from None
    except (OSError, MemoryError):  # what is no scheduler may announce more bytes than any memory holds
        raise ClusterError(LocalizedText("training.cluster.no_answer", scheduler=scheduler)) from None
    if not found["Python"]:
        raise ClusterError(LocalizedText("training.cluster.no_workers", scheduler=scheduler))
    ours = {"Python": _first_two(platform.python_version_tuple())} | {name: version(name) for name in MATCHED_PACKAGES}
    for name, workers in found.items():
        for worker, theirs in workers.items():
            if theirs != ours[name]:
                values = {
                    "worker": worker,
                    "name": name,
                    "here": ours[name],
                    "release": ours["Python"],
                    "remedy": INSTALL,
                }
                if isinstance(theirs, Exception):
                    raise ClusterError(LocalizedText("training.cluster.worker_lacks", **values))
                raise ClusterError(LocalizedText("training.cluster.worker_differs", there=theirs, **values))


def _first_two(parts: Sequence[str]) -> str:
    return ".".join(parts[:2])


async def _versions(scheduler: str) -> dict[str, dict[str, Any]]:
    """Return what each worker has of Python and of each package; an error in place of a version that is not there."""
    from distributed import Client  # noqa: PLC0415
    from distributed.comm.core import connect  # noqa: PLC0415

    # A handshake first: Client would wait for ever for what takes the connection and says nothing.
    (await connect(scheduler, timeout=CONNECT_TIMEOUT_SECONDS)).abort()
    async with Client(scheduler, asynchronous=True, timeout=REPLY_TIMEOUT_SECONDS) as client:
        # Functions of the standard library: a worker has none of ours.
        found = {name: await client.run(version, name, on_error="return") for name in MATCHED_PACKAGES}
        pythons = await client.run(platform.python_version_tuple)
        return {"Python": {worker: _first_two(parts) for worker, parts in pythons.items()}} | found


@contextmanager
def _abort_on_lost_worker(scheduler: str, client: Client) -> Iterator[None]:
    """End the block with a ClusterError then: what the worker held is lost, and joblib may wait for it for ever."""
    from distributed.comm.core import CommClosedError  # noqa: PLC0415
    from distributed.scheduler import KilledWorker  # noqa: PLC0415

    lost, over = Event(), Event()
    workers = client.nthreads().keys()

    def watch() -> None:
        while not over.wait(POLL_SECONDS):
            try:
                complete = client.status == "running" and workers <= client.nthreads().keys()
            except (OSError, CancelledError):
                complete = False
            if not complete and not over.is_set():
                lost.set()
                interrupt_main()
                return

    watcher = Thread(target=watch, daemon=True)
    watcher.start()
    try:
        try:
            yield
        finally:
            over.set()
            watcher.join(REPLY_TIMEOUT_SECONDS)
            sleep(0)  # where the block has ended by itself, an interruption that was under way arrives here
    except (KeyboardInterrupt, CancelledError, TimeoutError, CommClosedError, KilledWorker) as error:
        if isinstance(error, KeyboardInterrupt) and not lost.is_set():
            raise
        raise ClusterError(LocalizedText("training.cluster.lost", scheduler=scheduler)) from None
