"""Ray, started on this machine or connected to, in the background: it takes seconds, most of them waiting."""

import contextlib
import logging
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import sweeps.ray_environment  # noqa: F401

# isort: split
import ray

from sngan.errors import InputError, one_line
from sweeps.engine_interface import EngineOptions, machine_cpus, machine_gpus
from sweeps.signals import interrupt, signals_handled

_OBJECT_STORE_BYTES = 100 * 2**20  # results are small; Ray's minimum is 75 MB
_CONNECT_TIMEOUT_S = 10
_NODES_TIMEOUT_S = 60
_STDERR = 2  # a signal handler writes to it directly: sys.stderr may be amid a write of its own
_NUM_NODES = "SNGAN_RAY_NODES"  # set by a batch job, whose machines are given
_LONGEST_SOCKET_FOLDER = 40  # characters; Ray adds 60 for its sockets, which end at 107


class Cluster:
    """A Ray that is being started or connected to in a thread, from the moment this object exists.

    scratch : a private folder for Ray and Tune; they themselves remove nothing.
    """

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self._error: BaseException | None = None
        self._found = ray.is_initialized()
        self.scratch = Path(tempfile.mkdtemp(prefix="sngan-"))
        self._tried, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._own, name="ray", daemon=True)
        if not self._found:
            self._thread.start()

    @property
    def starting(self) -> bool:
        """Whether it is not there yet; breaking off now would end in a segmentation fault."""
        return not self._found and not self._tried.is_set()

    def wait(self) -> None:
        """Return when Ray is there. Raises InputError where it cannot be started or reached."""
        if not self._found:
            self._wait()
        if isinstance(self._error, InputError):
            raise self._error
        if self._error is not None:
            text = f"cannot start or reach Ray (--address {self._options.address}): {one_line(self._error)}"
            if self._options.address != "none":
                text += "\nA cluster with a token wants RAY_AUTH_MODE=token and RAY_AUTH_TOKEN, or ~/.ray/auth_token."
            raise InputError(text) from self._error

    def close(self) -> None:
        """Leave Ray as it was found, once it has started; closed again, or after a wait that was broken off, it waits
        for nothing.
        """
        try:
            if not self._found and not self._closing.is_set():
                with signals_handled(_impatient):
                    self._wait()
                ray.shutdown()
                self._closing.set()
                self._thread.join()
        finally:
            self._closing.set()
            shutil.rmtree(self.scratch, ignore_errors=True)

    def _wait(self) -> None:
        try:
            self._tried.wait()
        except BaseException:
            self._closing.set()
            raise

    def _own(self) -> None:
        try:
            connect(self._options, self.scratch)
        except BaseException as error:
            self._error = error
        self._tried.set()
        self._closing.wait()  # Linux ends Ray's processes with the thread that has started them


@contextlib.contextmanager
def starting(options: EngineOptions) -> Iterator[Cluster]:
    """Inside, Ray starts, or is there."""
    cluster = Cluster(options)
    try:
        yield cluster
    except KeyboardInterrupt:
        if cluster.starting:
            tell_of_waiting()
        raise
    finally:
        cluster.close()


def _impatient(number: int, frame: FrameType | None) -> None:
    """Handle a signal that comes while a stop waits for Ray already: only Ctrl-C breaks that off."""
    if number == signal.SIGINT:
        interrupt(number, frame)


def tell_of_waiting() -> None:
    """Why a stop takes some seconds. May be called in a signal handler."""
    os.write(_STDERR, b"Stopping as soon as Ray has started, in some seconds ...\n")


def connect(options: EngineOptions, scratch: Path) -> None:
    """Start Ray on this machine, or connect to the one at `options.address`."""
    if options.address != "none":
        check_address(options.address)
        ray.init(address=options.address, log_to_driver=False, logging_level=logging.ERROR)
        _wait_for_nodes(int(os.environ.get(_NUM_NODES) or 1))
        return
    # In a process that had imported Ray before; else Ray would write a token into the home folder.
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    ray.init(
        address="local",
        num_cpus=machine_cpus(options),
        num_gpus=machine_gpus(options),
        object_store_memory=_OBJECT_STORE_BYTES,
        include_dashboard=False,
        _temp_dir=str(scratch / "ray") if len(str(scratch)) <= _LONGEST_SOCKET_FOLDER else None,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )


def _wait_for_nodes(number: int) -> None:
    """Wait until so many machines have joined, for a minute at most; those that come later are used, too."""
    deadline_s = time.monotonic() + _NODES_TIMEOUT_S
    while sum(node["Alive"] for node in ray.nodes()) < number and time.monotonic() < deadline_s:
        time.sleep(0.2)


def may_grow(options: EngineOptions) -> bool:
    """Whether machines may come because trials wait for them."""
    return options.address != "none" and _NUM_NODES not in os.environ


def check_address(address: str) -> None:
    """Refuse what would fail late: Ray tries a dead address for minutes, and a Ray client has no driver here."""
    if "://" in address:
        raise InputError(
            f"address {address!r}: a driver outside the cluster could not write the results of trials inside it.\n"
            "Start this command on a machine of the cluster with --address auto, or HOST:PORT of its head."
        )
    host, separator, port = address.rpartition(":")
    if separator and port.isdigit():
        try:
            socket.create_connection((host, int(port)), timeout=_CONNECT_TIMEOUT_S).close()
        except OSError as error:
            raise InputError(f"no Ray cluster answers at {address}: {error.strerror or error}.") from error
    elif address != "auto":
        raise InputError(f"address {address!r} is none of: none, auto, HOST:PORT.")
