"""A Ray cluster for one call: started on this machine, or joined by its address. The only door to Ray.

Enters: a class whose objects the workers hold, and calls of its methods. Leaves: what the calls return. A
worker that dies is started again, elsewhere if need be, and its calls with it. What workers exchange lies in
Ray's object store; of a cluster started here it is gone, from the disk too, when the call ends. It knows no
file and no question.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Generic, TypeVar

import psutil

from backends.datatypes import UserError
from backends.system.hardware import processors

T = TypeVar("T")

NEEDED = "The engine ray needs the package ray: pip install -e '.[scale]'."
TRIES_AGAIN = 3  # of a call whose worker died
STORE = 256 * 2**20  # bytes of the object store of a cluster on this machine
STARTS = 3
ANSWERS_WITHIN = 10.0  # seconds
REGISTERING = 300  # seconds that a worker has to come up
POLL = 0.2  # seconds between two looks at the cancel button
FOLDER = "triptych-ray-"  # how the folders of clusters on this machine begin


@dataclass(frozen=True)
class Call(Generic[T]):
    """A call under way, and the number of the worker that was given it."""

    worker: int
    reference: object


@dataclass(frozen=True)
class Cluster:
    """What was opened: how many workers it has room for, and a folder that goes with it."""

    size: int
    scratch: Path | None  # None on a cluster that was joined: its machines have their own


@contextmanager
def opened(address: str | None, workers: int | None) -> Iterator[Cluster]:
    """A cluster at this address, or one on this machine with `workers` processes (one a processor).

    Raises UserError when Ray is missing or the cluster cannot be reached.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    try:
        import ray
    except ImportError as error:
        raise UserError(NEEDED) from error
    if address is not None:
        with _joined(ray, address) as size:
            yield Cluster(min(size, workers or size), None)
        return
    with _folder() as folder:
        size = workers or processors()
        _start(ray, size, folder)
        try:
            scratch = folder / "files"
            scratch.mkdir()
            yield Cluster(size, scratch)
        finally:
            ray.shutdown()


def _start(ray: ModuleType, size: int, folder: Path) -> None:
    """A cluster on this machine. Ray waits half a minute for itself, which a busy machine may exceed."""
    for left in reversed(range(STARTS)):
        try:
            # A socket's path may have 107 characters: the folder lies right below the temporary one.
            ray.init(
                address="local",  # never one that happens to run here
                num_cpus=size,
                object_store_memory=STORE,
                include_dashboard=False,
                log_to_driver=False,
                _temp_dir=str(folder),
                _system_config={"worker_register_timeout_seconds": REGISTERING, "worker_niceness": 0},
            )
        except Exception as error:  # Ray raises no class of its own here
            ray.shutdown()
            _end_processes(folder)
            if not left:
                raise UserError(f"No Ray cluster could be started on this machine: {error}") from error
        else:
            return


def _end_processes(folder: Path) -> None:
    """End what a start that failed has left running."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if str(folder) in " ".join(process.cmdline()):
                process.kill()


@contextmanager
def _joined(ray: ModuleType, address: str) -> Iterator[int]:
    _look_for(address)
    try:
        ray.init(address=address, log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise UserError(f"There is no Ray cluster at {address} ({error}).") from error
    try:
        yield max(1, int(ray.cluster_resources().get("CPU", 1)))
    finally:
        ray.shutdown()


def _look_for(address: str) -> None:
    """Ray itself looks for minutes. UserError when nobody answers at HOST:PORT; "auto" is Ray's to find."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=ANSWERS_WITHIN).close()
    except OSError as error:
        raise UserError(f"There is no Ray cluster at {address} ({error.strerror or error}).") from error


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder for one cluster, locked while it is used; those that a killed call left are removed first."""
    place = Path(tempfile.gettempdir())
    for left in place.glob(f"{FOLDER}*"):
        if (lock := _locked(left)) is not None:
            shutil.rmtree(left, ignore_errors=True)
            os.close(lock)
    folder = Path(tempfile.mkdtemp(prefix=FOLDER))
    held = _locked(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if held is not None:
            os.close(held)


def _locked(folder: Path) -> int | None:
    """A lock on the folder, held by nobody else; None where somebody uses it or it is not ours."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


class Workers:
    """Processes of the open cluster that hold an object each; a call goes to the one with the least to do."""

    def __init__(self, kind: type, arguments: Sequence[object], count: int) -> None:
        """Each worker makes its object by `kind(*arguments)`; that should be quick."""
        import ray

        made = ray.remote(kind).options(
            num_cpus=1, max_restarts=-1, max_task_retries=TRIES_AGAIN, scheduling_strategy="SPREAD"
        )
        self._ray = ray
        self._actors = [made.remote(*arguments) for _ in range(count)]
        self._waiting = [0] * count

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._actors)

    def call(self, method: Callable[..., T], *arguments: object) -> Call[T]:
        """Begin a call of this method of the workers' class, or of one like it, and return at once."""
        worker = min(range(self.count), key=self._waiting.__getitem__)
        return self._call(worker, method, *arguments)

    def each(self, method: Callable[..., T], *arguments: object) -> list[T]:
        """What every worker returns, in their order."""
        calls = [self._call(worker, method, *arguments) for worker in range(self.count)]
        return [self.result(call) for call in calls]

    def _call(self, worker: int, method: Callable[..., T], *arguments: object) -> Call[T]:
        self._waiting[worker] += 1
        return Call(worker, getattr(self._actors[worker], method.__name__).remote(*arguments))

    def result(self, call: Call[T], cancel: threading.Event | None = None) -> T:
        """What the call returned. Raises UserError when it was cancelled, or no worker survived it."""
        errors = self._ray.exceptions
        try:
            while True:
                try:
                    returned: T = self._ray.get(call.reference, timeout=POLL if cancel is not None else None)
                    return returned
                except errors.GetTimeoutError:
                    if cancel is not None and cancel.is_set():
                        raise UserError("Cancelled.") from None
        except (errors.RayActorError, errors.WorkerCrashedError, errors.OutOfMemoryError) as error:
            raise UserError(
                "its worker of the cluster died again and again, over it or over one before it."
            ) from error
        finally:
            self._waiting[call.worker] -= 1
