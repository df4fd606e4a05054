"""The one module that imports MLflow: an experiment, and what it holds of one store's trials and launches.

Importing this module is cheap; MLflow itself (over a second) is imported when an experiment is opened.
"""

import logging
import os
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock

from sngan.errors import InputError, one_line
from sweeps.provenance import hide_credentials
from sweeps.tracking.records import Cell, Point
from sweeps.tracking.view import CHARTS, TABLE, is_server, run_link, view_link

# What a user has set wins. A server that does not answer must cost seconds: trying again is the mirror's business.
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_CONFIGURE_LOGGING": "false",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
NOLOAD_WARNING = "The ``noload`` loader strategy is deprecated"
_VALUES_PER_CALL = 800  # a server takes 1000 values, parameters and tags together
_RUNS_PER_PAGE = 500


@dataclass(slots=True)
class KnownRun:
    """A run that the experiment holds, as last seen or written."""

    run_id: str
    start_ms: int
    status: str
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldStudy:
    """A study and preset that MLflow holds. launch_id : run of the newest launch, None where that was deleted."""

    study: str
    preset: str
    experiment_id: str
    launch_id: str | None

    def links(self, page: str) -> dict[str, str]:
        """What MLflow's pages show of it -> the address. page : of the server, "http://127.0.0.1:5000"."""
        links = {name: view_link(page, self.experiment_id, name) for name in (TABLE, CHARTS)}
        if self.launch_id is not None:
            links["newest launch"] = run_link(page, self.experiment_id, self.launch_id)
        return links


def load() -> Any:
    """The module mlflow, in our environment: over a second, and best before other threads import much."""
    for variable, value in _ENVIRONMENT.items():
        os.environ.setdefault(variable, value)
    import mlflow

    # MLflow logs every try, with tracebacks where the disk is full; the mirror says once what is wrong.
    for logger in ("mlflow", "alembic"):
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    return mlflow


def create_database(mlflow: Any, uri: str) -> None:
    """Create a missing SQLite file under another name and move it into its place.

    MLflow needs seconds for its tables, and a process that is killed meanwhile would leave a file that no version of
    MLflow reads.
    """
    path = Path(uri.removeprefix("sqlite:///"))
    if not uri.startswith("sqlite:///") or "?" in uri or path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        if path.exists():  # another launch was faster
            return
        unfinished = path.with_name(f"{path.name}.new")
        unfinished.unlink(missing_ok=True)
        mlflow.MlflowClient(tracking_uri=f"sqlite:///{unfinished}").search_experiments(max_results=1)
        unfinished.replace(path)


def check_reachable(uri: str) -> bool:
    """Whether MLflow's database is there, or its server answers. Raises InputError for one that does not.

    Makes no database.
    """
    if is_missing(uri):
        return False
    try:
        load().MlflowClient(tracking_uri=uri).search_experiments(max_results=1)
    except Exception as error:
        raise InputError(
            f"{_no_answer(uri, error)}\nA sweep is not affected; what is missing is sent later."
        ) from error
    return True


def is_missing(uri: str) -> bool:
    """Whether `uri` is an SQLite file that is not there."""
    return uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///").partition("?")[0]).exists()


def _no_answer(uri: str, error: Exception) -> str:
    return hide_credentials(f"MLflow at {uri} does not answer: {one_line(_innermost(error))}")


def _innermost(error: BaseException) -> BaseException:
    """What the system said, where it is behind what MLflow's libraries make of it: "Connection refused"."""
    found = error
    seen: BaseException | None = error
    while seen is not None:
        found = seen if isinstance(seen, OSError) else found
        seen = seen.__cause__ or seen.__context__
    return found


def held_studies(uri: str) -> list[HeldStudy]:
    """The studies that MLflow holds, newest changes first. Raises InputError where it does not answer."""
    try:
        client = load().MlflowClient(tracking_uri=uri)
        return [
            HeldStudy(
                study=experiment.tags["study"],
                preset=experiment.tags["preset"],
                experiment_id=str(experiment.experiment_id),
                launch_id=_newest_launch(client, experiment.experiment_id),
            )
            for experiment in _experiments(client)
            if {"study", "preset"} <= experiment.tags.keys()
        ]
    except Exception as error:
        raise InputError(_no_answer(uri, error)) from error


def trial_page(uri: str, digest: str, page: str) -> str | None:
    """The address of a trial's run on MLflow's pages at `page`; None where MLflow has none, or is not there.

    Raises InputError where it does not answer.
    """
    if is_missing(uri):
        return None
    try:
        client = load().MlflowClient(tracking_uri=uri)
        experiments = [str(experiment.experiment_id) for experiment in _experiments(client)]
        runs = client.search_runs(experiments, f"tags.kind = 'trial' and tags.digest = '{digest}'", max_results=1)
    except Exception as error:
        raise InputError(_no_answer(uri, error)) from error
    return run_link(page, runs[0].info.experiment_id, runs[0].info.run_id) if runs else None


def _experiments(client: Any) -> Iterator[Any]:
    token = None
    while True:
        page = client.search_experiments(order_by=["last_update_time DESC"], page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _newest_launch(client: Any, experiment_id: str) -> str | None:
    runs = client.search_runs([experiment_id], "tags.kind = 'launch'", max_results=1, order_by=["start_time DESC"])
    return str(runs[0].info.run_id) if runs else None


class Experiment:
    """An open experiment. Every method talks to MLflow and raises whatever goes wrong there.

    Parameters
    ----------
    uri : database or server.
    name : of the experiment, created or restored where it is missing.
    owner : names the store; runs that carry another owner are other people's and are never touched.
    artifact_root : folder for files where `uri` is a database; a server keeps them itself.
    """

    def __init__(self, uri: str, name: str, *, owner: str, artifact_root: Path) -> None:
        mlflow = load()
        # MLflow's queries use what SQLAlchemy 2.1 calls deprecated: nothing that a user of ours could change.
        warnings.filterwarnings("ignore", NOLOAD_WARNING, DeprecationWarning)
        self._entities = mlflow.entities
        create_database(mlflow, uri)
        self._client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
        self._owner = owner
        self._found = self._find_or_create(uri, name, artifact_root)
        self.experiment_id = str(self._found.experiment_id)
        self.created_ms = int(self._found.creation_time or 0)
        self.trials: dict[Cell, KnownRun] = {}
        self.launches: dict[str, KnownRun] = {}
        self._scan()

    def _find_or_create(self, uri: str, name: str, artifact_root: Path) -> Any:
        found = self._client.get_experiment_by_name(name)
        if found is None:
            place = None if is_server(uri) else artifact_root.resolve().as_uri()
            found = self._client.get_experiment(self._client.create_experiment(name, artifact_location=place))
        elif found.lifecycle_stage != "active":
            self._client.restore_experiment(found.experiment_id)
        return found

    def _scan(self) -> None:
        """Find this store's runs. Of two runs of one trial, left by a lost answer, the one that got further stays."""
        for run in self._search():
            known = KnownRun(run.info.run_id, int(run.info.start_time), run.info.status, dict(run.data.tags))
            if known.tags.get("kind") == "launch":
                self._keep(self.launches, known.tags.get("launch", ""), known)
            elif known.tags.get("kind") == "trial":
                tags = known.tags
                self._keep(self.trials, (tags["digest"], tags["method"], tags["setting"]), known)

    def _search(self) -> Iterator[Any]:
        token = None
        while True:
            page = self._client.search_runs(
                [self.experiment_id],
                f"tags.owner = '{self._owner}'",
                max_results=_RUNS_PER_PAGE,
                page_token=token,
            )
            yield from page
            token = page.token
            if not token:
                return

    def _keep(self, runs: dict[Any, KnownRun], key: Any, known: KnownRun) -> None:
        other = runs.get(key)
        if other is None:
            runs[key] = known
            return
        kept, spare = (known, other) if _values(known) > _values(other) else (other, known)
        runs[key] = kept
        self.delete(spare)

    def describe(self, tags: Mapping[str, str]) -> None:
        """Set those tags of the experiment that differ."""
        for key, value in tags.items():
            if self._found.tags.get(key) != value:
                self._client.set_experiment_tag(self.experiment_id, key, value)
                self._found.tags[key] = value

    def create(self, name: str, tags: Mapping[str, str], *, start_ms: int) -> KnownRun:
        """A new run. Its tags are written together with it, so that it is found again whatever happens next."""
        tags = {**tags, "owner": self._owner}
        run = self._client.create_run(self.experiment_id, start_time=start_ms, tags=tags, run_name=name)
        return KnownRun(run.info.run_id, start_ms, run.info.status, tags)

    def log(
        self,
        run: KnownRun,
        *,
        points: Sequence[Point] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Write values, parameters and changed tags, in one call wherever they fit into one; tags come last."""
        changed = {key: value for key, value in (tags or {}).items() if run.tags.get(key) != value}
        # The time belongs to the value: a value that is sent twice is the same row twice, and is kept once.
        metrics = [
            self._entities.Metric(point.key, point.value, run.start_ms + point.elapsed_ms, point.update)
            for point in points
        ]
        batches = [metrics[i : i + _VALUES_PER_CALL] for i in range(0, len(metrics), _VALUES_PER_CALL)] or [[]]
        for number, batch in enumerate(batches):
            last = number == len(batches) - 1
            self._client.log_batch(
                run.run_id,
                metrics=batch,
                params=[self._entities.Param(key, value) for key, value in (params or {}).items()]
                if not number
                else [],
                tags=[self._entities.RunTag(key, value) for key, value in changed.items()] if last else [],
            )
        run.tags.update(changed)

    def set_status(self, run: KnownRun, status: str, *, end_ms: int | None = None) -> None:
        """Set a run's status where it differs; a run that has ended gets its time of ending."""
        if run.status == status:
            return
        if status in ("RUNNING", "SCHEDULED"):
            self._client.update_run(run.run_id, status=status)
        else:
            self._client.set_terminated(run.run_id, status, end_ms or round(1000 * time.time()))
        run.status = status

    def log_dataset(self, run: KnownRun, name: str, digest: str) -> None:
        """Say which data set a run was trained on."""
        data = self._entities.Dataset(name, digest[:36], "local", f'{{"uri": "{name}"}}')
        context = self._entities.InputTag("mlflow.data.context", "training")
        self._client.log_inputs(run.run_id, [self._entities.DatasetInput(data, [context])])

    def log_folder(self, run: KnownRun, folder: Path, target: str | None = None) -> None:
        """Send all files below a folder; files of the same names are replaced."""
        self._client.log_artifacts(run.run_id, str(folder), target)

    def log_text(self, run: KnownRun, text: str, name: str) -> None:
        """Send a text as a file."""
        self._client.log_text(run.run_id, text, name)

    def delete(self, run: KnownRun) -> None:
        """Put a run into MLflow's bin."""
        self._client.delete_run(run.run_id)


def _values(run: KnownRun) -> int:
    return int(run.tags.get("synced_values", "0"))
