"""Ray on its way up: stops wait for it, a second Ctrl-C does not, dead addresses are told."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
import ray

from sngan.config import TrialConfig
from sngan.errors import InputError
from sweeps import engine_ray, ray_cluster
from sweeps.engine import run, starting
from sweeps.engine_interface import Unshared
from sweeps.signals import StopRequested
from tests.sweeps.recording import Recorder, endless, engine_options, planned

CONFIG = TrialConfig(updates=2)


def test_the_first_signal_does_not_break_off_the_start_of_ray_and_the_second_does() -> None:
    relay = engine_ray._Relay(Recorder(), Unshared())
    relay.on_early_signal(signal.SIGINT, None)
    assert relay.ending
    relay.on_early_signal(signal.SIGTERM, None)
    with pytest.raises(StopRequested):
        relay.on_early_signal(signal.SIGINT, None)


def send_when_handled(number: signal.Signals) -> None:
    """A signal to this process, from another thread, once the engine waits for Ray."""
    while getattr(signal.getsignal(number), "__name__", "") != "on_early_signal":
        time.sleep(0.01)
    os.kill(os.getpid(), number)
    time.sleep(0.3)


def test_a_second_ctrl_c_does_not_wait_for_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = threading.Event()

    def connect(*_: object) -> None:
        for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT):
            send_when_handled(number)
        free.wait(60)

    monkeypatch.setattr(ray_cluster, "connect", connect)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: pytest.fail("there is no Ray"))
    began = time.monotonic()
    result = run(planned(CONFIG, 2), engine_options(tmp_path), Recorder(), endless)
    assert result.interrupted
    assert time.monotonic() - began < 30
    free.set()


def test_a_stop_that_breaks_the_start_of_ray_is_a_stop_and_no_mistake_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def connect(*_: object) -> None:
        send_when_handled(signal.SIGTERM)
        raise ConnectionError("the raylet is gone")

    monkeypatch.setattr(ray_cluster, "connect", connect)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    result = run(planned(CONFIG, 2), engine_options(tmp_path), Recorder(), endless)
    assert result.interrupted
    assert not result.failed
    assert "Stopping as soon as Ray has started" in capfd.readouterr().err


def test_a_stop_while_the_data_are_prepared_waits_for_ray(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ray_cluster, "connect", lambda *_: time.sleep(0.5))
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    ended: list[bool] = []
    monkeypatch.setattr(ray, "shutdown", lambda: ended.append(True))
    clusters = []
    with pytest.raises(StopRequested), starting(engine_options(tmp_path)) as cluster:  # noqa: PT012
        clusters.append(cluster)
        assert cluster is not None
        assert cluster.starting
        raise StopRequested
    assert ended == [True]
    assert not clusters[0].starting
    assert not clusters[0].scratch.exists()
    assert "Stopping as soon as Ray has started" in capfd.readouterr().err


def test_an_engine_without_ray_starts_none(tmp_path: Path) -> None:
    with starting(engine_options(tmp_path, engine="in-process")) as cluster:
        assert cluster is None


@pytest.mark.parametrize("address", ["127.0.0.1:9", "ray://127.0.0.1:10001", "nowhere"])
def test_an_address_without_a_cluster_is_told_at_once(address: str) -> None:
    with pytest.raises(InputError, match=address):
        ray_cluster.check_address(address)
