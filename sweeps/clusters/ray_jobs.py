"""The one door to Ray's job server: a study as a Ray Job, whose driver runs on the head, where the code travels."""

import asyncio
import contextlib
import importlib
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sweeps.ray_environment  # noqa: F401
from sngan.errors import InputError, one_line
from sweeps.clusters.travelling import PACKAGES, copy_plugins, copy_project, plugin_names
from sweeps.signals import UNFINISHED

_ENDED = ("SUCCEEDED", "FAILED", "STOPPED")
_POLL_S = 0.5


@dataclass(frozen=True, kw_only=True)
class RayJob:
    """What is handed to a Ray cluster.

    job : its id. entrypoint : a line for a shell, which runs in the folder that holds the code. plugins : files that
    travel with it. pip : what is installed on the cluster's machines first; empty where everything is there.
    env_vars : environment of the launch and of its trials; Ray shows them to whoever reaches its dashboard.
    """

    job: str
    entrypoint: str
    plugins: Sequence[Path] = ()
    pip: Sequence[str] = ()
    env_vars: Mapping[str, str]
    metadata: Mapping[str, str]

    def runtime_env(self, working_dir: str) -> dict[str, Any]:
        """Ray's description of where the job runs."""
        env: dict[str, Any] = {"working_dir": working_dir}
        if self.pip:
            env["pip"] = list(self.pip)
        if self.env_vars:
            env["env_vars"] = dict(self.env_vars)
        return env

    def described(self) -> dict[str, Any]:
        """What would be submitted, for people."""
        travelling = ", ".join([*PACKAGES, *plugin_names(self.plugins)])
        return {
            "submission_id": self.job,
            "entrypoint": self.entrypoint,
            "metadata": dict(self.metadata),
            "runtime_env": self.runtime_env(f"a folder with copies of {travelling}"),
        }


def job_name(study: str, preset: str, now: datetime | None = None) -> str:
    """STUDY-PRESET-TIME, of characters that mean nothing to shells and URLs; another one every millisecond."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", f"{study}-{preset}").strip("-")[:60]
    return f"{name}-{now or datetime.now(UTC):%Y%m%dT%H%M%S%f}"[:-3]


class JobServer:
    """The job server of a Ray cluster, at http://HOST:8265.

    Raises InputError, here and in all methods, where ray[default] is missing, nothing answers, or Ray refuses.
    """

    def __init__(self, head: str) -> None:
        if not re.fullmatch(r"https?://[^/\s]+(/\S*)?", head):
            raise InputError(f"--head {head!r}: give the address of the cluster's dashboard, such as http://HOST:8265.")
        self.head = head
        os.environ["RAY_API_SERVER_ADDRESS"] = head  # Ray prefers this, and RAY_ADDRESS, to what it is told
        with self._explained("does not answer"):
            self._client = _client_class()(head)

    def submit(self, job: RayJob) -> None:
        """Send the code and begin the job."""
        with tempfile.TemporaryDirectory(prefix="sngan-job-") as folder:
            copy_project(Path(folder))
            copy_plugins(job.plugins, Path(folder))
            with self._explained("does not take the job"):
                self._client.submit_job(
                    submission_id=job.job,
                    entrypoint=job.entrypoint,
                    runtime_env=job.runtime_env(folder),
                    metadata=dict(job.metadata),
                )

    def follow(self, job: str, tell: Callable[[str], object]) -> "Ending":
        """Hand on what the job writes until it has ended, and say how it did."""
        with self._explained("cannot be heard any more; the job may go on"):
            asyncio.run(self._tail(job, tell))
            while (info := self._client.get_job_info(job)).status.value not in _ENDED:
                time.sleep(_POLL_S)
        return Ending(state=info.status.value, exit_code=info.driver_exit_code, told=info.message or "")

    async def _tail(self, job: str, tell: Callable[[str], object]) -> None:
        async for lines in self._client.tail_job_logs(job):
            tell(lines)

    @contextlib.contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        """Turns errors of Ray, requests and aiohttp, which have nothing in common, into InputErrors."""
        try:
            yield
        except InputError:
            raise
        except Exception as error:
            advice = ""
            if type(error).__name__ == "AuthenticationError":
                advice = "\nSet RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN (or ~/.ray/auth_token) to the cluster's token."
            raise InputError(f"the Ray cluster at {self.head} {what}: {one_line(error)}.{advice}") from error


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a job ended. state : SUCCEEDED, FAILED or STOPPED. exit_code : of the launch, where it ran. told : by Ray."""

    state: str
    exit_code: int | None
    told: str

    @property
    def code(self) -> int:
        """The exit code for whoever waited: that of the launch, 75 for what was stopped."""
        if self.state == "SUCCEEDED":
            return 0
        if self.state == "STOPPED":
            return UNFINISHED
        return self.exit_code if self.exit_code is not None and 0 < self.exit_code < 256 else 1


def _client_class() -> Any:
    try:
        for name in ("aiohttp", "requests", "pydantic"):  # Ray's client begins without them, and fails later
            importlib.import_module(name)
        from ray.job_submission import JobSubmissionClient
    except ImportError as error:
        raise InputError(
            f"Ray's job client is not complete here ({one_line(error)}).\nInstall it: pip install '.[ray-jobs]'"
        ) from error
    return JobSubmissionClient
