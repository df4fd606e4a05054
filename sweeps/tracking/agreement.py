"""Brings an MLflow experiment into agreement with the store: finds what is missing, sends that and nothing else.

Every run carries tags that say how far it was sent, so that a new process goes on where another one stopped.
"""

import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from sweeps.tracking.launch import close_launch, common_tags, open_launch
from sweeps.tracking.records import RunRecord, cell_of, fingerprint, rows_of, run_records
from sweeps.tracking.server import Experiment, KnownRun
from sweeps.tracking.source import Launches, Source, SyncReport
from sweeps.tracking.view import IMAGES, stored_views

_STATUS = {"completed": "FINISHED", "diverged": "FINISHED", "failed": "FAILED", "running": "RUNNING",
           "queued": "SCHEDULED"}  # fmt: skip


class Agreement:
    """One experiment and one source, brought together again and again.

    Used by one thread at a time. Whatever fails is raised; the next `bring` looks again at what MLflow holds.
    """

    def __init__(self, uri: str, source: Source) -> None:
        self.uri = uri
        self.source = source
        self.experiment_id: str | None = None  # once MLflow was reached
        self._experiment: Experiment | None = None
        self._seen: dict[str, tuple[str, int]] = {}

    def forget(self) -> None:
        """Look again at what MLflow holds next time: another process, or a broken call, may have written."""
        self._experiment = None
        self._seen = {}

    def bring(self, *, live: bool) -> SyncReport:
        """Send what is missing. live : a launch is running; otherwise no run is left running and all is compared."""
        try:
            return self._bring(live=live)
        except BaseException:
            self.forget()
            raise

    def _bring(self, *, live: bool) -> SyncReport:
        report = SyncReport()
        launches = self.source.launches()
        experiment = self._open(launches)
        parent = open_launch(experiment, self.source, launches, report, live=live)
        self.experiment_id = experiment.experiment_id
        progress = self.source.progress()
        if live and progress == self._seen:
            return report
        sender = _Sender(experiment, self.source, launches, parent, report, live=live)
        errors = [error for record in self._records(experiment, live=live) if (error := sender.send(record))]
        if not live:
            close_launch(experiment, self.source, parent, report)
        if errors:  # values do not wait for files
            raise errors[0]
        self._seen = progress
        return report

    def _open(self, launches: Launches) -> Experiment:
        if self._experiment is None:
            source = self.source
            files = source.storage_dir / "mlartifacts" / source.file_name
            experiment = Experiment(self.uri, source.name, owner=launches.owner, artifact_root=files)
            metric, updates = source.preset.headline.partition("/")[0], int(source.preset.config.get("updates", 0))
            experiment.describe(
                {
                    "study": source.study.name,
                    "preset": source.label,
                    "mlflow.note.content": source.description(launches),
                    "mlflow.experimentKind": "custom_model_development",
                    **stored_views(metric, updates, experiment.created_ms),
                }
            )
            self._experiment = experiment
        return self._experiment

    def _records(self, experiment: Experiment, *, live: bool) -> Sequence[RunRecord]:
        """Records of all trials or, live, of those with news."""
        store, key = self.source.store, self.source.key
        trials = store.trials(*key)  # read first: what comes after its last_update is left for next time
        if live:
            trials = trials[[_has_news(experiment, row) for row in rows_of(trials)]]
        if trials.empty:
            return []
        digests = set(trials["digest"])
        frames = (store.evaluations(*key), store.diagnostics(*key), store.samples(*key))
        evaluations, diagnostics, samples = (frame[frame["digest"].isin(digests)] for frame in frames)
        return run_records(trials, evaluations, diagnostics, samples, headline=self.source.preset.headline)


def _has_news(experiment: Experiment, trial: Mapping[str, Any]) -> bool:
    run = experiment.trials.get(cell_of(trial))
    if run is None:
        return bool(trial["state"] != "queued" or trial["last_update"] > 0)
    sent = (run.tags.get("synced_state"), run.tags.get("synced_update"), run.status)
    state, update = str(trial["state"]), str(trial["last_update"])
    return sent != (state, update, _STATUS[state])


class _Sender:
    """Sends records of trials below the run of a launch."""

    def __init__(
        self,
        experiment: Experiment,
        source: Source,
        launches: Launches,
        parent: KnownRun,
        report: SyncReport,
        *,
        live: bool,
    ) -> None:
        self.experiment = experiment
        self.source = source
        self.launches = launches
        self.parent = parent
        self.report = report
        self.live = live

    def send(self, record: RunRecord) -> Exception | None:
        """Send what the trial's run lacks. Returns the error if its files could not be sent: values come first."""
        run = self._agreeing_run(record)
        if run is None and record.state == "queued" and not record.points:
            return None
        new = run is None or "synced_state" not in run.tags
        if run is None:
            run = self._create(record)
        if new and record.dataset in self.launches.datasets:
            self.experiment.log_dataset(run, record.dataset, self.launches.datasets[record.dataset])
        grids, error = self._send_grids(run, record)
        points = record.points[_sent(run) :]
        tags = {key: value for key, value in record.tags.items() if value or key in run.tags} | grids
        tags |= {"synced_values": str(len(record.points)), "synced_fingerprint": fingerprint(record.points)}
        if error is None:
            tags |= {"synced_state": record.state, "synced_update": str(record.update)}
        if new or points or any(run.tags.get(key) != value for key, value in tags.items()):
            self.experiment.log(run, points=points, params=record.params if new else None, tags=tags)
            self.report.changed += not new
            self.report.values += len(points)
        # Without a launch nothing runs, and nothing is going to.
        status = _STATUS[record.state] if self.live or record.state not in ("running", "queued") else "KILLED"
        self.experiment.set_status(run, status, end_ms=run.start_ms + record.spent_ms)
        return error

    def _agreeing_run(self, record: RunRecord) -> KnownRun | None:
        """The trial's run, or None; a run with values that the store does not hold any more is deleted."""
        run = self.experiment.trials.get(record.cell)
        if run is None or not _sent(run) or fingerprint(record.points[: _sent(run)]) == run.tags["synced_fingerprint"]:
            return run
        self.experiment.delete(run)
        del self.experiment.trials[record.cell]
        return None

    def _create(self, record: RunRecord) -> KnownRun:
        tags = {key: value for key, value in record.tags.items() if value} | common_tags(self.source, "trial")
        tags["mlflow.parentRunId"] = self.parent.run_id
        start_ms = round(1000 * time.time()) - record.spent_ms
        run = self.experiment.trials[record.cell] = self.experiment.create(record.name, tags, start_ms=start_ms)
        self.report.created += 1
        return run

    def _send_grids(self, run: KnownRun, record: RunRecord) -> tuple[dict[str, str], Exception | None]:
        """Send new sample grids: the tags that say so, and the error if that failed."""
        sent = int(run.tags.get("synced_samples", "0"))
        new = [(update, self.source.storage_dir / path) for update, path in record.samples if update > sent]
        if not new:
            return {}, None
        try:
            with tempfile.TemporaryDirectory(prefix="sngan-mlflow-") as name:
                num_files = sum(_copy_grid(path, update, run.start_ms, Path(name)) for update, path in new)
                if num_files:
                    self.experiment.log_folder(run, Path(name))
        except Exception as error:
            return {}, error
        self.report.files += num_files
        return {"synced_samples": str(new[-1][0]), "mlflow.loggedImages": "True"}, None


def _sent(run: KnownRun) -> int:
    return int(run.tags.get("synced_values", "0"))


def _copy_grid(path: Path, update: int, time_ms: int, folder: Path) -> int:
    """Copy a grid to samples/, and small to images/ under names that MLflow's page shows as a series over updates.

    Returns the number of files: 0 for a grid that is gone.
    """
    if not path.is_file():
        return 0
    (folder / "samples").mkdir(exist_ok=True)
    (folder / "images").mkdir(exist_ok=True)
    shutil.copy(path, folder / "samples" / f"u{update:06}.png")
    series = folder / "images" / f"{IMAGES}+step+{update}+timestamp+{time_ms}+u{update:06}"
    with Image.open(path) as image:
        small = image.convert("RGB")
    small.thumbnail((512, 512))
    small.save(f"{series}.webp", quality=90)
    shutil.copy(f"{series}.webp", f"{series}+compressed.webp")
    return 3
