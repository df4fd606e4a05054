"""What a result came from: code, versions, hardware, command line.

Never environment variables: they hold secrets.
"""

import functools
import json
import os
import platform
import re
import shlex
import socket
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import joblib
import psutil

PACKAGE = "sngan-robustness"
RECORDED_PACKAGES = (PACKAGE, "torch", "torchvision", "numpy", "scipy", "scikit-learn", "pytorch-fid", "onnxruntime",
                     "ray", "optuna", "mlflow", "sqlalchemy", "pandas", "altair", "vl-convert-python")  # fmt: skip
_COMMAND_TIMEOUT_S = 10
_CREDENTIAL = re.compile(r"^[\w+.-]+://[^@]*:.*@|\w*(pass|secret|token|key)\w*=|[?&]sig=", re.IGNORECASE)
HIDDEN = "***"
NOTIFY = "--notify"  # the option whose whole value is a secret
_CARRIED = "git_state.json"  # beside this file, in a copy of the code that left its checkout


def collect(command: Sequence[str]) -> dict[str, Any]:
    """Code, versions, hardware, command line and time as plain JSON values.

    `command` is the command line as a list; passwords in its URLs are hidden.
    """
    return {
        "started": datetime.now(UTC).isoformat(timespec="microseconds"),
        "command": hide_credentials(shlex.join(command)),
        **git_state(),
        "versions": versions(),
        "host": host_name(),
        "os": platform.platform(),
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "usable_cores": int(joblib.cpu_count()),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "gpus": list(gpu_names()),
    }


def versions() -> dict[str, str]:
    """Package -> version of Python and of every installed package that can change a number or a picture."""
    found = {"python": platform.python_version()}
    for name in RECORDED_PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_state() -> dict[str, Any]:
    """{"git_commit": 40 hex digits or "", "git_dirty": bool or None} of the checkout that the code runs from, or that
    it was copied from by `carry_git_state`.
    """
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return _carried_git_state() or {"git_commit": "", "git_dirty": None}
    # Files that git does not track (results, caches) do not change what ran.
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return {"git_commit": commit, "git_dirty": None if changes is None else bool(changes)}


def carry_git_state(package: Path) -> None:
    """Let `package`, a copy of this one that leaves its checkout, say what it is a copy of."""
    (package / _CARRIED).write_text(json.dumps(git_state()))


def _carried_git_state() -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(Path(__file__).with_name(_CARRIED).read_text())
    except FileNotFoundError:
        return {}
    return found


def _git(*arguments: str) -> str | None:
    """Output of a git command on the checkout of this package, or None where there is none or no git."""
    folder = Path(__file__).resolve().parent
    if not (folder.parent / ".git").exists():
        return None  # installed into some other project's checkout: its commit would be a lie
    return _output(["git", "-C", str(folder), *arguments])


def host_name() -> str:
    """Name of this machine in its network."""
    return socket.gethostname()


@functools.cache
def cpu_name() -> str:
    """The processor's model, as exactly as the system tells."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


@functools.cache
def gpu_names() -> tuple[str, ...]:
    """Name, memory and driver of every NVIDIA GPU, as nvidia-smi tells; empty without one."""
    text = _output(["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"])
    return tuple(line.strip() for line in (text or "").splitlines() if line.strip())


def _output(command: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 (fixed programs, no shell)
            command, capture_output=True, text=True, timeout=_COMMAND_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def hide_credentials(text: str) -> str:
    """`text` with *** for the user and password of every URL in it, and for secrets among its parameters."""
    text = re.sub(r"(\w+://)(?!/)[^\s'\"]*@", r"\1***@", text)
    return re.sub(r"(?i)(\w*(?:pass|secret|token|key)\w*)=[^&\s'\"]+", r"\1=***", text)


def holds_credential(url: str) -> bool:
    """Whether a URL has a password, before its last @, or a secret among its parameters."""
    return _CREDENTIAL.search(url) is not None


def command_line(arguments: Sequence[str], program: str = "sweeps.launch") -> list[str]:
    """The command with these arguments, as it is typed, but for the addresses of webhooks: *** stands for them."""
    shown = list(arguments)
    for place, word in enumerate(shown):
        if word.startswith(f"{NOTIFY}="):
            shown[place] = f"{NOTIFY}={HIDDEN}"
        elif place and arguments[place - 1] == NOTIFY:
            shown[place] = HIDDEN
    return ["python", "-m", program, *shown]


def out_words(out: Path) -> list[str]:
    """The option that names a folder of results (absolute) to a command; none for the one that it takes unless told."""
    return [] if out == Path("runs").absolute() else ["--out", str(out)]
