"""python -m sweeps.launch ui: what it refuses, what it starts and ends, and what its links show in a real browser."""

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from sweeps.serving import check_listen, is_loopback, page_of
from sweeps.store import open_store
from sweeps.tracking import Mirror
from sweeps.tracking.server import NOLOAD_WARNING
from tests.browser import browsed
from tests.sweeps.command_line import Line, assert_told
from tests.sweeps.store.samples import PRESET
from tests.sweeps.tracking_samples import a_study, another_uri, client_of, finished_sweep

pytestmark = pytest.mark.filterwarnings(f"ignore:{NOLOAD_WARNING}:DeprecationWarning")


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory: pytest.TempPathFactory, empty_mlflow: Path) -> Path:
    """A folder of results whose MLflow database holds the study robustness."""
    out = tmp_path_factory.mktemp("mirrored")
    uri = another_uri(out / "mlflow.db", empty_mlflow)
    with open_store(f"sqlite:///{out / 'results.db'}") as store:
        finished_sweep(store, out)
        Mirror(uri, store, a_study(), PRESET, out).sync()
    return out


@contextmanager
def taken(port: int = 0) -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.create_server(("127.0.0.1", port)) as server:
        yield server.getsockname()[1]


def free_port() -> int:
    with taken() as port:
        return port


# What is refused, before anything is started


def test_studies_that_are_not_there(line: Line, mirrored: Path, tmp_path: Path) -> None:
    port = ("--port", free_port())
    assert_told(line("ui", "robustnes", "--out", mirrored, *port), "'robustnes'", "Did you mean 'robustness'")
    assert_told(
        line("ui", "width", "--out", mirrored, *port),
        "holds no study 'width'; it holds robustness quick.",
        f"sync width --out {mirrored}",
    )
    assert_told(line("ui", "--out", tmp_path, *port), f"no MLflow database at sqlite:///{tmp_path}", "sync STUDY --out")
    assert not (tmp_path / "mlflow.db").exists()


def test_an_mlflow_that_cannot_be_read(line: Line, tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("no database, whatever its name says")
    assert_told(line("ui", "--out", tmp_path, "--port", free_port()), "does not answer", "file is not a database")
    assert_told(line("ui", "--mlflow", "runs"), "'runs' is neither a database nor a server")
    nobody = f"http://me:secret@127.0.0.1:{free_port()}"
    answer = line("ui", "--mlflow", nobody)
    assert_told(answer, "http://***@127.0.0.1", "Connection refused")
    assert "secret" not in answer[2]
    assert_told(line("ui", "--mlflow", nobody, "--port", 5001), "--port is for a database")


def test_places_where_nothing_can_listen(line: Line, mirrored: Path) -> None:
    with taken() as port:
        answer = line("ui", "--out", mirrored, "--port", port)
        assert_told(answer, f"port {port} of 127.0.0.1 cannot be used: Address already in use.")
        free = re.search(r"Free is --port (\d+)\.", answer[2])
        assert free is not None
        check_listen("127.0.0.1", int(free[1]))
    assert_told(line("ui", "--out", mirrored, "--host", "192.0.2.1"), "'192.0.2.1' is no address of this machine")
    assert_told(line("ui", "--out", mirrored, "--host", "no.such.invalid"), "'no.such.invalid' is no address")
    assert_told(line("ui", "--out", mirrored, "--host", " "), "--host is empty")
    assert_told(line("ui", "--out", mirrored, "--port", "0"), "--port", "1<=x<=65535")


@pytest.mark.parametrize(
    ("host", "alone", "page"),
    [
        ("127.0.0.1", True, "http://127.0.0.1:5000"),
        ("::1", True, "http://[::1]:5000"),
        ("localhost", True, "http://localhost:5000"),
        ("0.0.0.0", False, f"http://{socket.gethostname()}:5000"),
    ],
)
def test_addresses(host: str, alone: bool, page: str) -> None:
    assert is_loopback(host) == alone
    assert page_of(host, 5000) == page


# What is started


class Ui:
    """`ui` in a process of its own, as from a terminal: it leads a group of processes."""

    def __init__(self, out: Path, *arguments: object) -> None:
        self.port = free_port()
        words = ["-m", "sweeps.launch", "ui", "--out", out, "--port", self.port, *arguments]
        command = [sys.executable, *map(str, words)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    def said(self) -> str:
        """What it says until it is there."""
        assert self.process.stdout is not None
        lines = []
        for told in self.process.stdout:
            lines.append(told)
            if "until Ctrl-C" in told:
                return "".join(lines)
        raise AssertionError(self.process.communicate())

    def family(self) -> list[psutil.Process]:
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]

    def end(self, stop: Callable[[int], None]) -> None:
        """Stop it, and see that nothing is left of it."""
        family = self.family()
        stop(self.process.pid)
        _, err = self.process.communicate(timeout=30)
        assert (self.process.returncode, err) == (0, "")
        _, left = psutil.wait_procs(family, timeout=5)
        assert not left
        check_listen("127.0.0.1", self.port)

    def kill(self) -> None:
        """Whatever a failed test has left."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()


@pytest.fixture
def start() -> Iterator[Callable[..., Ui]]:
    started: list[Ui] = []

    def make(*arguments: Any) -> Ui:
        started.append(Ui(*arguments))
        return started[-1]

    yield make
    for ui in started:
        ui.kill()


def terminal_interrupts(pid: int) -> None:
    os.killpg(pid, signal.SIGINT)


def scheduler_terminates(pid: int) -> None:
    os.kill(pid, signal.SIGTERM)


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_it_serves_with_few_processes_and_ends_with_all_of_them(
    start: Callable[..., Ui], line: Line, mirrored: Path
) -> None:  # fmt: skip
    ui = start(mirrored, "robustness")
    said = ui.said()
    page = f"http://127.0.0.1:{ui.port}"
    experiment = client_of(f"sqlite:///{mirrored / 'mlflow.db'}").get_experiment_by_name("robustness-quick")
    assert f"{page}/#/experiments/{experiment.experiment_id}/runs?" in said
    assert "viewStateShareKey=charts&compareRunsMode=CHART" in said
    with urllib.request.urlopen(f"{page}/health") as answer:
        assert answer.status == 200

    code, out, err = line("ui", "--mlflow", page)
    assert (code, err) == (0, "")
    assert out.splitlines() == said.splitlines()[1:-1], "the same links, without a server of its own"
    assert_told(line("ui", "--out", mirrored, "--port", ui.port), "Address already in use")

    family = ui.family()
    commands = [" ".join(process.cmdline()) for process in family]
    assert len(family) == 3, f"this program, MLflow's and its one worker: {commands}"
    assert not any("mlflow.db" in command for command in commands), "a database's URL may hold a password"
    assert family[0].memory_full_info().uss < 100 * 2**20, "torch and MLflow are not in memory"
    assert {sock.laddr.ip for process in family for sock in process.net_connections() if sock.status == "LISTEN"} == {
        "127.0.0.1"
    }
    ui.end(terminal_interrupts)  # the test of the links ends it as a scheduler does


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_server_that_does_not_start_or_dies(start: Callable[..., Ui], mirrored: Path) -> None:
    environment = {**os.environ, "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{mirrored / 'mlflow.db'}"}
    with taken() as port:  # by somebody who was faster
        command = [sys.executable, "-m", "sweeps.serving", "127.0.0.1", str(port), "served"]
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (1, "")
    assert re.fullmatch(r"error: MLflow did not start: .*address already in use.*\n", result.stderr)

    ui = start(mirrored)
    ui.said()
    ui.family()[1].kill()
    _, err = ui.process.communicate(timeout=30)
    assert ui.process.returncode == 1
    assert err.startswith("error: MLflow ended: ")
    check_listen("127.0.0.1", ui.port)


# What the links show


@pytest.fixture
def browser() -> Iterator[Any]:
    with browsed(complaints=False, viewport={"width": 1600, "height": 1800}) as page:
        yield page


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_links_open_the_table_and_the_charts_in_a_browser(
    start: Callable[..., Ui], mirrored: Path, browser: Any
) -> None:
    ui = start(mirrored, "robustness")
    links = dict(re.findall(r"^  (\S.*?) +(http\S+)$", ui.said(), re.MULTILINE))

    browser.goto(links["trials"])
    browser.get_by_text("4 matching runs").wait_for()
    wanted = ["metrics.`fid_final`", "metrics.`fid_best`", "tags.`state`", "params.`method`", "params.`setting`"]
    for name in wanted:
        browser.locator(f".ag-header-cell[col-id='{name}']").wait_for()
    header = browser.locator(".ag-header-cell[col-id]")
    places = {cell.get_attribute("col-id"): cell.bounding_box()["x"] for cell in header.all()}
    assert wanted == sorted(wanted, key=places.__getitem__), "next to each other, in this order"
    judged = browser.locator(".ag-row [col-id='metrics.`fid_final`']").all_inner_texts()
    values = [float(text.rstrip("….").replace(",", "")) for text in judged[:3]]
    assert len(set(values)) == 3
    assert sorted(values) == values, "the best first"
    assert judged[3:] == ["-"], "a diverged trial has no score, and stands last"

    browser.goto(links["charts"])
    browser.get_by_text("Parallel Coordinates").wait_for()
    axes = browser.locator("svg text")
    for name in ("method", "alpha", "beta1", "beta2", "n_dis", "fid_final"):
        axes.get_by_text(name, exact=True).first.wait_for()
    grid = browser.locator("img[src*='samples%2Bstep%2B1000']").first
    grid.wait_for()
    assert grid.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0

    browser.goto(links["newest launch"])
    browser.get_by_text("launch 1, 2026-01-02 03:04").first.wait_for()
    ui.end(scheduler_terminates)
