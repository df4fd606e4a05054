"""What happens to a study: each fault is a function that harms it now and says what it did, or "" if it cannot yet."""

import contextlib
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import psutil

from tests.chaos.surroundings import Clock, Postgres, Slurm, SmallDisk, Surroundings, TrackingServer
from tests.chaos.victim import asked, stopped

Act = Callable[[Surroundings, Random], str]
FAULTS: dict[str, Act] = {}
STOPPED_S = 60.0
CUT_S = 30.0


def fault(name: str) -> Callable[[Act], Act]:
    """Decorator: a fault by its name in the table."""

    def add(act: Act) -> Act:
        FAULTS[name] = act
        return act

    return add


def possible(surroundings: Surroundings) -> list[str]:
    """The faults that can happen there."""
    left_out: set[str] = set()
    for kind, names in _ONLY.items():
        if not isinstance(surroundings, kind):
            left_out |= names
    if isinstance(surroundings, Slurm):
        left_out |= _NOT_ON_SLURM
    return [name for name in FAULTS if name not in left_out]


def _kill_one(processes: list[psutil.Process], random: Random) -> str:
    if not processes:
        return ""
    chosen = random.choice(processes)
    try:
        chosen.kill()
    except psutil.NoSuchProcess:
        return ""
    return f"process {chosen.pid} of {len(processes)}"


@fault("worker killed")
def kill_worker(at: Surroundings, random: Random) -> str:
    """SIGKILL to a process that trains."""
    return _kill_one(at.victim.workers(), random)


@fault("raylet killed")
def kill_raylet(at: Surroundings, random: Random) -> str:
    """SIGKILL to Ray's own process on a machine: all its workers go, too."""
    return _kill_one(at.victim.raylets(), random)


@fault("launch killed")
def kill_launch(at: Surroundings, random: Random) -> str:
    """SIGKILL to the driver alone."""
    return _kill_one(at.victim.drivers(), random)


@fault("machine dies")
def kill_everything(at: Surroundings, random: Random) -> str:
    """SIGKILL to everything at once."""
    at.victim.kill_everything()
    return "all processes"


@fault("worker stopped for a minute")
def stop_worker(at: Surroundings, random: Random) -> str:
    """SIGSTOP, later SIGCONT, to a process that trains."""
    return _stop_one(at.victim.workers(), random)


@fault("launch stopped for a minute")
def stop_launch(at: Surroundings, random: Random) -> str:
    """SIGSTOP, later SIGCONT, to the driver: half the time of a lease."""
    return _stop_one(at.victim.drivers(), random)


def _stop_one(processes: list[psutil.Process], random: Random) -> str:
    if not processes:
        return ""
    chosen = random.choice(processes)
    with stopped([chosen]):
        time.sleep(STOPPED_S)
    return f"process {chosen.pid}"


@fault("PostgreSQL restarted")
def restart_postgres(at: Surroundings, random: Random) -> str:
    """Connections are ended without a word; the server is away for up to ten seconds."""
    assert isinstance(at, Postgres)
    away_s = random.uniform(0, 10)
    at.restart(away_s)
    return f"away for {away_s:.0f} s"


@fault("MLflow down")
def end_mlflow(at: Surroundings, random: Random) -> str:
    """From now on, for the rest of the study."""
    assert isinstance(at, TrackingServer)
    return "for the rest of the study" if at.end_mlflow() else ""


@fault("disk full")
def fill_disk(at: Surroundings, random: Random) -> str:
    """Until the launch ends by itself; then there is room again."""
    assert isinstance(at, SmallDisk)
    with at.filled():
        at.victim.wait_for_end()
    told = at.victim.said[-1]
    assert re.search(r"disk is full|No space left", told), told[-2000:]
    return f"the launch ended with code {at.victim.codes[-1]}"


@fault("checkpoint truncated")
def truncate(at: Surroundings, random: Random) -> str:
    """The newest checkpoint of an unfinished trial loses its end while nothing runs."""

    def harm(file: Path) -> None:
        with file.open("r+b") as opened:
            opened.truncate(random.randrange(file.stat().st_size))

    return _damage(at, random, harm)


@fault("checkpoint with a flipped bit")
def flip_bit(at: Surroundings, random: Random) -> str:
    """One bit anywhere."""

    def harm(file: Path) -> None:
        data = bytearray(file.read_bytes())
        place = random.randrange(len(data))
        data[place] ^= 1 << random.randrange(8)
        file.write_bytes(data)

    return _damage(at, random, harm)


@fault("checkpoint half written")
def half_write(at: Surroundings, random: Random) -> str:
    """What a machine leaves behind that dies amid writing: a part of a temporary file beside the checkpoint."""
    file = _unfinished_checkpoint(at, random)
    if file is None:
        return ""
    at.victim.kill_everything()
    data = file.read_bytes()
    file.with_name("state.pt.0123abcd.tmp").write_bytes(data[: random.randrange(len(data))])
    return file.parent.name[:8]


def _damage(at: Surroundings, random: Random, harm: Callable[[Path], None]) -> str:
    """Harm a checkpoint while nothing runs. The next launch must name the file, which the user then deletes."""
    if _unfinished_checkpoint(at, random) is None:
        return ""
    at.victim.kill_everything()
    file = _unfinished_checkpoint(at, random)
    if file is None:  # its trial has just ended
        return ""
    harm(file)
    at.damaged.append(file)
    return file.parent.name[:8]


def _unfinished_checkpoint(at: Surroundings, random: Random) -> Path | None:
    """A checkpoint of a trial without a result."""
    rows = asked(at.victim.database, "SELECT digest FROM trials WHERE state NOT IN ('completed', 'diverged')")
    files = [at.victim.folder / "checkpoints" / digest / "state.pt" for (digest,) in sorted(rows)]
    there = [file for file in files if file.exists() and file not in at.damaged]
    return random.choice(there) if there else None


@fault("clock stepped")
def step_clock(at: Surroundings, random: Random) -> str:
    """The launch and all its processes see another time of day: an hour more or less."""
    assert isinstance(at, Clock)
    offset_s = random.choice([-3600, 3600])
    at.step(offset_s)
    return f"by {offset_s:+d} s"


@fault("network of a node cut for 30 s")
def cut(at: Surroundings, random: Random) -> str:
    """Then it is back."""
    node = _node(at, random)
    if node:
        with _cut_off(node):
            time.sleep(CUT_S)
    return node


@fault("network of a node cut for good")
def cut_for_good(at: Surroundings, random: Random) -> str:
    """Until the study is done."""
    assert isinstance(at, Slurm)
    node = _node(at, random)
    if node:
        at.afterwards.enter_context(_cut_off(node))
        at.cut_off.add(node)
    return node


def _node(at: Surroundings, random: Random) -> str:
    """A node of the running job that is not cut off; one always stays."""
    assert isinstance(at, Slurm)
    there = [node for node in at.victim.nodes() if node not in at.cut_off]
    return random.choice(there) if len(there) > 1 else ""


@contextlib.contextmanager
def _cut_off(node: str) -> Iterator[None]:
    line = ["ip", "netns", "exec", node, "ip", "link", "set", "eth0"]
    subprocess.run([*line, "down"], check=True)
    try:
        yield
    finally:
        subprocess.run([*line, "up"], check=True)
        gateway = subprocess.run(
            ["ip", "-4", "-o", "addr", "show", "dev", "slurmbr"], check=True, capture_output=True, text=True
        ).stdout.split()[3]
        route = ["ip", "netns", "exec", node, "ip", "route", "replace", "default", "via", gateway.partition("/")[0]]
        subprocess.run(route, check=True)


@fault("job preempted")
def preempt(at: Surroundings, random: Random) -> str:
    """Another job takes its nodes; the study goes on by itself afterwards."""
    assert isinstance(at, Slurm)
    return at.victim.preempt()


_ONLY: dict[type[Surroundings], set[str]] = {
    Postgres: {"PostgreSQL restarted"},
    TrackingServer: {"MLflow down"},
    SmallDisk: {"disk full"},
    Clock: {"clock stepped"},
    Slurm: {"network of a node cut for 30 s", "network of a node cut for good", "job preempted"},
}
# A job whose launch is killed has failed: what its user does then is what the other surroundings show.
_NOT_ON_SLURM = {"machine dies", "checkpoint truncated", "checkpoint with a flipped bit", "checkpoint half written"}
