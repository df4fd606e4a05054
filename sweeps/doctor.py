"""Whether a machine has what a study needs, looked at from there. Nothing is downloaded, prepared or kept."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal

from filelock import FileLock

from sngan.config import TrialConfig
from sngan.datasets.catalog import is_made_at_first_use
from sngan.devices import num_gpus
from sngan.errors import InputError, one_line
from sngan.inputs import check_ready
from sngan.metrics.protocols import parse
from sngan.results import RunOptions
from sweeps import provenance, tracking
from sweeps.engine_interface import EngineOptions, machine_cpus
from sweeps.filesystems import file_system, is_network
from sweeps.messages import envelope, publishable
from sweeps.object_storage import ObjectStorage
from sweeps.provenance import NOTIFY
from sweeps.store import open_store
from sweeps.store.connect import is_sqlite, parse_url, shown
from sweeps.webhooks import Address, RefusedError, post
from sweeps.wording import counted
from sweeps.writable import check_writable

_LOW_GB, _TOO_LOW_GB = 10.0, 1.0
_SKEW_S = 5.0  # leases last two minutes
_LOCK_TIMEOUT_S = 60
# Says whether it gets the lock that this process holds, then whether it gets it when that is given back.
_OTHER_PROCESS = """
import sys
from filelock import FileLock, Timeout
try:
    FileLock(sys.argv[1], timeout=0).acquire()
except Timeout:
    print("refused")
else:
    print("given twice")
"""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was looked at, how it is ("good", "doubtful": it works, but ..., "bad"), in words, and what to do."""

    what: str
    state: Literal["good", "doubtful", "bad"]
    told: str
    advice: str = ""


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a study will use on a machine. config : its data set and protocols. gpus : at least so many. prepare : the
    command that fetches what it lacks. notify : webhooks, each of which gets a message.
    """

    out: Path
    database: str
    mlflow: str | None
    storage: str | None
    run: RunOptions
    config: TrialConfig
    gpus: int
    prepare: str
    notify: Sequence[Address] = ()


def examine(needs: Needs) -> list[Finding]:
    """Everything, in the order in which it is best mended."""
    looks: list[tuple[str, Callable[[], Finding]]] = [
        ("machine", partial(_machine, needs)),
        ("GPUs", partial(_gpus, needs.gpus)),
        ("folder of results", partial(_folder, needs.out)),
        ("locks there", partial(_locks, needs.out)),
        ("clock of the folder", partial(_folder_clock, needs.out)),
        ("cache", partial(_folder, needs.run.cache_dir)),
        ("scratch", partial(_space, Path(tempfile.gettempdir()))),
        ("shared memory", partial(_space, Path("/dev/shm"), low_gb=0.5, too_low_gb=0.2)),  # noqa: S108
        ("database", partial(_database, needs.database)),
        ("data and weights", partial(_inputs, needs)),
    ]
    if needs.mlflow is not None:
        looks.append(("MLflow", partial(_mlflow, needs.mlflow)))
    if needs.storage is not None:
        looks.append(("storage", partial(_storage, needs.storage)))
    if needs.notify:
        looks.append(("notifications", partial(_notifications, needs.notify)))
    return [_looked(what, look) for what, look in looks]


def _looked(what: str, look: Callable[[], Finding]) -> Finding:
    try:
        return replace(look(), what=what)
    except InputError as error:
        told, _, advice = str(error).partition("\n")
        return Finding(what=what, state="bad", told=told, advice=advice)
    except Exception as error:  # one look that fails is a finding, and the others are made
        return Finding(what=what, state="bad", told=one_line(error))


def _machine(needs: Needs) -> Finding:
    cores = machine_cpus(EngineOptions(run=needs.run))
    told = f"{provenance.host_name()}: {cores} cores, Python {sys.version.split()[0]}"
    if job := os.environ.get("SLURM_JOB_ID"):
        told += f", Slurm job {job}"
    return Finding(what="machine", state="good", told=told)


def _gpus(wanted: int) -> Finding:
    there = num_gpus()
    names = ", ".join(provenance.gpu_names()) or "nvidia-smi names none"
    if there >= wanted:
        return Finding(
            what="GPUs", state="good", told=f"{there} ({names})" if there else "none, and none are asked for"
        )
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "not set")
    advice = f"CUDA_VISIBLE_DEVICES is {visible}. Look at nvidia-smi"
    given = visible not in ("", "not set")
    advice += ", and whether this PyTorch is one for CUDA." if given else ", and ask the batch system for GPUs."
    return Finding(what="GPUs", state="bad", told=f"torch sees {there} of {wanted} ({names})", advice=advice)


def _folder(folder: Path) -> Finding:
    """Written, read back, and room."""
    check_writable(folder)
    content = os.urandom(4096)
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        if Path(file.name).read_bytes() != content:
            return Finding(what=str(folder), state="bad", told="gives back other bytes than were written")
    space = _space(folder)
    kind = file_system(folder) or "unknown"
    return Finding(what=str(folder), state=space.state, told=f"{space.told}, {kind}", advice=space.advice)


def _space(folder: Path, low_gb: float = _LOW_GB, too_low_gb: float = _TOO_LOW_GB) -> Finding:
    free_gb = shutil.disk_usage(folder).free / 1e9
    told = f"{free_gb:.1f} GB free"
    if free_gb < too_low_gb:
        return Finding(what=str(folder), state="bad", told=told, advice=f"At least {too_low_gb:g} GB are needed.")
    state: Literal["good", "doubtful"] = "doubtful" if free_gb < low_gb else "good"
    return Finding(
        what=str(folder), state=state, told=told, advice="That may be too little." if state != "good" else ""
    )


def _locks(folder: Path) -> Finding:
    """A lock that one process holds must be refused to another."""
    folder.mkdir(parents=True, exist_ok=True)
    what = "locks there"
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".lock") as file:
        begun_s = time.monotonic()
        with FileLock(file.name, timeout=_LOCK_TIMEOUT_S):
            other = [sys.executable, "-c", _OTHER_PROCESS, file.name]
            done = subprocess.run(other, capture_output=True, text=True, timeout=_LOCK_TIMEOUT_S, check=False)  # noqa: S603
        took_s = time.monotonic() - begun_s
    if done.stdout.strip() == "refused":
        return Finding(what=what, state="good", told=f"kept ({took_s:.1f} s)")
    told = done.stdout.strip() or done.stderr.strip().rpartition("\n")[2]
    advice = "Launches that share this folder would not see each other; mount it with locks."
    return Finding(what=what, state="bad", told=f"a lock was {told}", advice=advice)


def _folder_clock(folder: Path) -> Finding:
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        before_s = time.time()
        file.write(b"now")
        file.flush()
        os.fsync(file.fileno())
        skew_s = os.stat(file.name).st_mtime - before_s
    return _skew("clock of the folder", skew_s)


def _skew(what: str, skew_s: float) -> Finding:
    told = f"{abs(skew_s):.1f} s {'behind' if skew_s < 0 else 'ahead of'} this machine's"
    if abs(skew_s) <= _SKEW_S:
        return Finding(what=what, state="good", told=told)
    return Finding(what=what, state="doubtful", told=told, advice="Set the clocks by NTP: times in reports are wrong.")


def _database(url: str) -> Finding:
    parsed = parse_url(url)
    if is_sqlite(parsed):
        path = Path(str(parsed.database))
        kind = file_system(path)
        if is_network(kind):
            advice = "SQLite cannot be shared over a network: give --database postgresql://..."
            return Finding(what="database", state="bad", told=f"{path} lies on {kind}", advice=advice)
        check_writable(path.parent)
        if not path.exists():
            return Finding(what="database", state="good", told=f"{path} will be made")
    begun_s = time.monotonic()
    with open_store(url) as store:
        there, here = store.server_time(), datetime.now(UTC)
        took_s = time.monotonic() - begun_s
    skew = _skew("database", (there - here).total_seconds()) if there else None
    told = f"{shown(parsed)} answers after {took_s:.1f} s" + (f", its clock is {skew.told}" if skew else "")
    return Finding(what="database", state=skew.state if skew else "good", told=told, advice=skew.advice if skew else "")


def _inputs(needs: Needs) -> Finding:
    try:
        found = check_ready(needs.config, needs.run)
    except InputError as error:
        measured = {parse(name).extractor for name in needs.config.protocols}
        if "inception" not in measured and is_made_at_first_use(needs.config.dataset, needs.run.cache_dir):
            told = f"{needs.config.dataset} is part of the environment; the first launch prepares it"
            return Finding(what="data and weights", state="good", told=told)
        advice = f"Where there is internet: {needs.prepare}"
        told = "; ".join(line.rstrip(".") for line in str(error).splitlines())
        return Finding(what="data and weights", state="bad", told=told, advice=advice)
    digests = ", ".join(value for key, value in found.items() if key.startswith("extractor"))
    told = f"{found['dataset']} {found['dataset_digest'][:12]}, {digests or 'nothing is measured'}"
    return Finding(what="data and weights", state="good", told=told)


def _storage(url: str) -> Finding:
    begun_s = time.monotonic()
    ObjectStorage(url).check()
    told = f"{url} was written and read back in {time.monotonic() - begun_s:.1f} s"
    return Finding(what="storage", state="good", told=told)


def _notifications(addresses: Sequence[Address]) -> Finding:
    what = "notifications"
    for number, address in enumerate(addresses, 1):
        try:
            post(address, publishable(envelope("test", "A test: messages of launches will arrive here.")))
        except RefusedError as error:
            advice = "Look at the address, which is not shown here, and whether this machine reaches it."
            return Finding(what=what, state="bad", told=f"{NOTIFY} number {number}: {error}", advice=advice)
    return Finding(what=what, state="good", told=f"{counted(len(addresses), 'webhook')} took a test")


def _mlflow(uri: str) -> Finding:
    begun_s = time.monotonic()
    shown = provenance.hide_credentials(uri)
    if not tracking.check_reachable(uri):
        return Finding(what="MLflow", state="good", told=f"{shown} will be made")
    return Finding(what="MLflow", state="good", told=f"{shown} answers after {time.monotonic() - begun_s:.1f} s")
