"""train_model.py --scheduler on a real Dask cluster on this machine: processes of their own, loopback, random ports."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import pytest
from distributed import Client, LocalCluster
from joblib import Parallel, delayed

from marsshot.core.errors import InputError
from marsshot.training import dask_cluster
from marsshot.training.dask_cluster import ClusterError, cluster_threads
from tests.helpers.builders import ROOT
from tests.test_train_model import CONFIG, facts, run, some_data, write

SECONDS = 60  # for what takes one or two on a quiet machine
WITHOUT_SCIKIT_LEARN = """
import importlib.metadata as metadata
real = metadata.version
def version(name):
    if name == "scikit-learn":
        raise metadata.PackageNotFoundError(name)
    return real(name)
metadata.version = version
"""
WITH_ANOTHER_SCIKIT_LEARN = """
import importlib.metadata as metadata
real = metadata.version
metadata.version = lambda name: "0.1" if name == "scikit-learn" else real(name)
"""


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """A scheduler without workers."""
    with LocalCluster(
        n_workers=0,
        processes=False,
        protocol="tcp://",
        host="127.0.0.1",
        scheduler_port=0,
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
    ) as started:
        yield str(started.scheduler_address)


@contextmanager
def workers(scheduler: str, folder: Path, count: int = 1, at_start: str = "") -> Iterator[list[int]]:
    """Worker processes that know the packages, but none of our modules; yields their process ids.

    at_start: what Python does first in each.
    """
    (folder / "sitecustomize.py").write_text(at_start)
    command = [sys.executable, "-m", "distributed.cli.dask_worker", scheduler, "--host", "127.0.0.1"]
    command += ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(folder)]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    with Client(scheduler, set_as_default=False) as client:
        before = len(client.nthreads())
        started = [
            subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for _ in range(count)
        ]
        try:
            client.wait_for_workers(before + count, timeout=SECONDS)
            yield [process.pid for process in started]
        finally:
            for process in started:
                process.kill()
                process.wait()
            wait_until(lambda: len(client.nthreads()) == before)


def wait_until(happened: object) -> None:
    end = monotonic() + SECONDS
    while not happened():  # type: ignore[operator]
        assert monotonic() < end
        sleep(0.05)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text(CONFIG)
    write(some_data())
    return tmp_path


@pytest.mark.slow
def test_the_cluster_finds_the_model_that_this_machine_finds(place: Path, scheduler: str) -> None:
    assert run("--output", "alone.pkl") == 0
    with workers(scheduler, place, count=2) as pids:
        assert run("--output", "spread.pkl", "--scheduler", scheduler) == 0
        with cluster_threads(scheduler) as threads:
            assert threads == 2
            assert set(Parallel()(delayed(os.getpid)() for _ in range(20))) <= set(pids)
    assert Path("spread.pkl").read_bytes() == Path("alone.pkl").read_bytes()
    alone, spread = facts("alone.json"), facts("spread.json")
    assert {name for name in alone if alone[name] != spread[name]} <= {"trained_at"}


def test_without_a_scheduler_the_work_stays_here() -> None:
    with cluster_threads(None) as threads:
        assert threads is None
        assert set(Parallel(n_jobs=1)(delayed(os.getpid)() for _ in range(2))) == {os.getpid()}


@pytest.mark.slow
def test_a_lost_worker_ends_the_run_with_one_line(place: Path, scheduler: str) -> None:
    """What it held is lost with it, and joblib would wait for ever for what cannot be calculated any more."""
    Path("model.pkl").write_text("the old one")
    write(some_data(dates=300, tokens=20))
    command = [sys.executable, str(ROOT / "train_model.py"), "--n-iter", "100", "--scheduler", scheduler]
    with (
        workers(scheduler, place, count=2) as pids,
        Client(scheduler, set_as_default=False) as client,
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process,
    ):
        wait_until(lambda: all(client.processing().values()))
        os.kill(pids[0], signal.SIGKILL)
        _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 1 and "Traceback" not in err
    assert err.splitlines()[-1] == (
        f"--scheduler: {scheduler} or one of its workers was lost in the middle of the work; "
        "no file was changed, run it again"
    )
    assert Path("model.pkl").read_text() == "the old one"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("at_start", "has"),
    [(WITHOUT_SCIKIT_LEARN, "has no scikit-learn"), (WITH_ANOTHER_SCIKIT_LEARN, "has scikit-learn 0.1")],
)
def test_a_worker_that_would_give_other_numbers_is_refused(
    tmp_path: Path, scheduler: str, at_start: str, has: str
) -> None:
    with (
        workers(scheduler, tmp_path, at_start=at_start),
        pytest.raises(ClusterError, match=f"^--scheduler: worker tcp://127.0.0.1:[0-9]+ {has}, here it is ") as caught,
        cluster_threads(scheduler),
    ):
        pass
    assert "pip install -r requirements/distributed.txt" in str(caught.value)


@pytest.mark.slow
def test_a_scheduler_without_workers_is_refused(scheduler: str) -> None:
    with pytest.raises(ClusterError, match="has no workers; start some: dask worker"), cluster_threads(scheduler):
        pass


@contextmanager
def listening(says: bytes) -> Iterator[str]:
    """What takes a connection, says something, and nothing more."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        calls: list[socket.socket] = []

        def answer() -> None:
            try:
                while True:
                    calls.append(server.accept()[0])
                    calls[-1].sendall(says)
            except OSError:
                return

        threading.Thread(target=answer, daemon=True).start()
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        for call in calls:
            call.close()


@pytest.mark.parametrize("says", [b"", b"HTTP/1.0 400 Bad Request\r\n\r\n"])
def test_what_is_no_scheduler_is_told(monkeypatch: pytest.MonkeyPatch, says: bytes) -> None:
    monkeypatch.setattr(dask_cluster, "REPLY_TIMEOUT_SECONDS", 0.5)
    with (
        listening(says) as address,
        pytest.raises(ClusterError, match=f"^--scheduler: no scheduler answers at {address}; start it or mend"),
        cluster_threads(address),
    ):
        pass


def test_nobody_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_cluster, "CONNECT_TIMEOUT_SECONDS", 0.5)
    with (
        pytest.raises(ClusterError, match=r"no scheduler answers at tcp://127\.0\.0\.1:9;"),
        cluster_threads("tcp://127.0.0.1:9"),
    ):
        pass


@pytest.mark.parametrize("address", ["nonsense", "http://127.0.0.1:9", "tcp://", "tcp://127.0.0.1"])
def test_what_is_no_address_is_wrong_usage(address: str) -> None:
    with pytest.raises(InputError, match=f"^--scheduler: {address} is no address"), cluster_threads(address):
        pass
