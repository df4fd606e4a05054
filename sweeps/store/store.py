"""ResultStore: everything that is known of studies and trials, in one SQL database."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import pandas as pd
from sqlalchemy import Connection, Engine, select

from sngan.results import Evaluation, Outcome
from sweeps.claims import Verdict
from sweeps.looks import Looks
from sweeps.patience import patiently
from sweeps.store import frames, leases, planning, schema, writes
from sweeps.store.connect import UnreachableError, connect, explained, is_sqlite, parse_url, shown, transaction
from sweeps.store.tables import StudyRow, StudyTrialRow, TrialRow, TrialState, VerdictRow
from sweeps.study import PlannedTrial

Given = ParamSpec("Given")
Result = TypeVar("Result")


def open_store(url: str, *, create: bool = True) -> "ResultStore":
    """The store at a database URL, created or upgraded to the schema of this version.

    url : "sqlite:///runs/results.db" (relative) or "sqlite:////absolute/results.db", whose folder is created,
        or "postgresql://user:password@host:port/database".
    create : False refuses a place that holds no results yet (NoResultsError), instead of creating an empty store there.

    Raises InputError, in one or two lines and without any password, for a URL, place, server or file that
    cannot be used, and for a schema that this version does not know.
    """
    parsed = parse_url(url)
    engine = connect(parsed, create=create)
    try:
        with explained(parsed, opening=True):
            schema.prepare(engine, create=create)
    except BaseException:
        engine.dispose()
        raise
    return ResultStore(engine)


class ResultStore:
    """The truth about every trial; made by `open_store`. A context manager that closes its connections.

    Every method is one transaction. Any thread may read while another one writes; a reader sees one state.
    Writing is for drivers. Methods raise InputError where the database fails (disk full, server gone); a server that
    went away is waited for, for up to a minute.
    Changing a trial or study that was never registered raises LookupError; reading one gives empty results.

    A completed or diverged trial never changes again: `record`, `fail` and `requeue` leave it as it is, and
    the first outcome stays.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def url(self) -> str:
        """The database's URL without any password, for messages."""
        return shown(self._engine.url)

    @property
    def folder(self) -> Path | None:
        """The folder of SQLite's file; None on a server."""
        return None if self.file is None else self.file.parent

    @property
    def file(self) -> Path | None:
        """SQLite's file; None on a server."""
        url = self._engine.url
        return Path(str(url.database)) if is_sqlite(url) else None

    def server_time(self) -> datetime | None:
        """The clock of the database's server; None for a file, which has none."""
        with self._read() as connection:
            return None if is_sqlite(self._engine.url) else leases.now(connection)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Planning

    def register(self, study: str, preset: str, description: Mapping[str, Any], trials: Sequence[PlannedTrial]) -> None:
        """Remember the study's description and that these trials belong to it.

        New trials are queued, known ones keep state and results. Cells (method, setting, seed) that are not
        in `trials` stay; a cell that was planned with another config before now means the new one.
        description : plain values for JSON; "question" is shown by `studies`.
        """
        self._write(planning.register, study, preset, description, trials)

    def set_provenance(self, study: str, preset: str, provenance: Mapping[str, Any]) -> None:
        """Remember what the newest launch came from, and its start: provenance["started"], else now."""
        self._write(planning.set_provenance, study, preset, provenance)

    def provenance(self, study: str, preset: str) -> dict[str, Any]:
        """What the newest launch came from; empty before the first."""
        query = select(StudyRow.provenance).where(StudyRow.study == study, StudyRow.preset == preset)
        with self._read() as connection:
            return dict(connection.scalar(query) or {})

    def plan_looks(self, study: str, preset: str, looks: Looks) -> Looks:
        """Remember at which numbers of seeds a registered study is judged; return what holds: an earlier plan stays."""
        return self._write(planning.plan_looks, study, preset, looks)

    def looks(self, study: str, preset: str) -> Looks | None:
        """At which numbers of seeds the study is judged, None where it is judged once."""
        with self._read() as connection:
            return planning.looks_of(connection, study, preset)

    def states(self, study: str, preset: str) -> dict[str, TrialState]:
        """State of every trial of a study, by digest."""
        query = select(TrialRow.digest, TrialRow.state).join(StudyTrialRow, StudyTrialRow.trial == TrialRow.digest)
        with self._read() as connection:
            rows = connection.execute(query.where(StudyTrialRow.study == study, StudyTrialRow.preset == preset))
            return {digest: TrialState(state) for digest, state in rows}

    def known_states(self, digests: Iterable[str]) -> dict[str, TrialState]:
        """State of those trials that any study has registered: for plans that are not registered."""
        with self._read() as connection:
            return writes.states_of(connection, digests)

    # Running

    def claim(self, digests: Sequence[str], number: int, *, holder: str, about: str, lease_s: float) -> list[str]:
        """Lease the first `number` of these trials that are to be run and that nobody else holds; return them.

        holder : a name of the launch that no other has. about : the launch in words, for whoever finds them taken.
        lease_s : seconds after which the lease means nothing, unless it is renewed; by the clock of the database.
        """
        return self._write(leases.claim, digests, number, holder=holder, about=about, lease_s=lease_s)

    def renew(self, holder: str, lease_s: float) -> set[str]:
        """Extend every lease of a holder; return the trials that it still has. Others have been taken over."""
        return self._write(leases.renew, holder, lease_s)

    def release(self, holder: str) -> None:
        """Give back every trial that a holder has."""
        self._write(leases.release_all, holder)

    def leased(self, digests: Iterable[str]) -> dict[str, tuple[str, str]]:
        """Trial -> (holder, the launch in words), for those of the trials that somebody holds now."""
        with self._read() as connection:
            return {trial: (holder, about) for trial, holder, about, _ in leases.valid(connection, digests)}

    def at_work(self, study: str, preset: str) -> list[str]:
        """The launches, in words, that run trials of the study now, or hold some that wait. One that died is no more
        among them when its leases are over.
        """
        with self._read() as connection:
            return leases.at_work(connection, study, preset)

    def requeue(self, digests: Iterable[str], holder: str = "") -> None:
        """Queue those trials again that are running (their driver died) or failed; other states stay, and so does what
        anybody but `holder` has leased.
        """
        self._write(leases.requeue, set(digests), holder)

    def start_attempt(self, digest: str, *, host: str, device: str, versions: Mapping[str, str]) -> None:
        """Begin an attempt. The trial is running now; an attempt that is still open ends."""
        self.start_attempts([digest], host=host, device=device, versions=versions)

    def start_attempts(self, digests: Iterable[str], *, host: str, device: str, versions: Mapping[str, str]) -> None:
        """Begin an attempt at each of many trials in one transaction."""
        self._write(writes.start_attempts, list(digests), host, device, versions)

    def record(self, digest: str, evaluation: Evaluation) -> None:
        """Store an evaluation: scores, diagnostics, spectra, sample grid, costs so far. Again, it changes nothing.

        A value that is not finite is stored as absent.
        """
        self.record_many([(digest, evaluation)])

    def record_many(
        self, evaluations: Iterable[tuple[str, Evaluation]], outcomes: Iterable[tuple[str, Outcome]] = ()
    ) -> None:
        """Store many evaluations, and then outcomes, by digest, in one transaction: all of them or none.

        The same as `record` and `finish` one by one, and many times as fast: for imports and for rebuilding a store.
        """
        given, ended = list(evaluations), list(outcomes)

        def write(connection: Connection) -> None:
            writes.record(connection, given)
            writes.finish(connection, ended)

        self._write(write)

    def finish(self, digest: str, outcome: Outcome) -> None:
        """Give the trial its result and end its attempt. Of two outcomes the first stays.

        Rows beyond outcome.update, of an earlier attempt whose checkpoint was lost, are deleted; the diagnoses that
        the outcome brings are stored.
        """
        self.record_many((), [(digest, outcome)])

    def fail(self, digest: str, error: str, *, final: bool = True) -> None:
        """End the trial's attempt with `error`; the trial is failed, which is not a result, or tried again."""
        self._write(writes.fail, digest, error, final=final)

    # Results

    def trials(self, study: str, preset: str) -> pd.DataFrame:
        """One row per planned trial, in the order seed, method, setting. Columns: frames.TRIALS.

        last_update is 0 before the first evaluation; reason and error are "" where there is none; config is
        JSON text; samples is the path of the newest grid below the folder of results, or None.
        """
        with self._read() as connection:
            return frames.trials(connection, study, preset)

    def evaluations(self, study: str, preset: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """One row per measured number, in the order seed, method, setting, update, protocol.

        Columns: frames.EVALUATIONS, or those of them that are asked for. value, spread and floor are finite, or NaN
        where absent.
        """
        with self._read() as connection:
            return frames.evaluations(connection, study, preset, columns)

    def attempts(self, digest: str) -> pd.DataFrame:
        """One row per attempt at a trial, the first one first: host, device, versions, start and end (UTC), error.

        versions is JSON text; end is NaT while it runs; error is "" where there is none.
        """
        with self._read() as connection:
            return frames.attempts(connection, digest)

    def configs_with(self, study: str, preset: str, text: str) -> list[str]:
        """The configs of the study's trials, as JSON texts, that contain `text`."""
        with self._read() as connection:
            return frames.configs_with(connection, study, preset, text)

    def newest_values(self, study: str, preset: str, protocol: str) -> dict[str, float]:
        """Digest -> value of a protocol (short name) at the newest evaluation that has one, where there is one."""
        with self._read() as connection:
            return frames.newest_values(connection, study, preset, protocol)

    def diagnostics(self, study: str, preset: str) -> pd.DataFrame:
        """One row per diagnostic (digest, method, setting, seed, update, name, value)."""
        with self._read() as connection:
            return frames.diagnostics(connection, study, preset)

    def spectra(self, study: str, preset: str) -> pd.DataFrame:
        """One row per spectrum (digest, method, setting, seed, update, layer, weight, singular_values).

        singular_values is a list of floats, largest first; it is empty where the weight was not finite.
        """
        with self._read() as connection:
            return frames.spectra(connection, study, preset)

    def samples(self, study: str, preset: str) -> pd.DataFrame:
        """One row per image grid (digest, method, setting, seed, update, path below the results)."""
        with self._read() as connection:
            return frames.samples(connection, study, preset)

    def studies(self) -> pd.DataFrame:
        """One row per launched study and preset: question, number of trials, number in every state.

        description and provenance (of the newest launch) are JSON texts of objects, launches is the JSON text
        of a list with the start of every launch.
        """
        with self._read() as connection:
            return frames.studies(connection)

    def record_verdicts(self, study: str, preset: str, verdicts: Sequence[Verdict]) -> None:
        """Replace the study's verdicts. Intervals that are not finite are stored as absent."""
        rows = [dataclasses.asdict(verdict) for verdict in verdicts]
        self._write(writes.replace_verdicts, study, preset, rows)

    def verdicts(self, study: str, preset: str) -> list[Verdict]:
        """The verdicts recorded last, in their order."""
        names = [field.name for field in dataclasses.fields(Verdict)]
        query = select(*[getattr(VerdictRow, name) for name in names])
        query = query.where(VerdictRow.study == study, VerdictRow.preset == preset).order_by(VerdictRow.position)
        with self._read() as connection:
            return [Verdict(**dict(zip(names, row, strict=True))) for row in connection.execute(query)]

    # What is new, what it costs

    def progress(self, study: str, preset: str) -> pd.DataFrame:
        """One row per trial: digest, state, last_update, num_evaluations (rows of `evaluations`)."""
        with self._read() as connection:
            return frames.progress(connection, study, preset)

    def fingerprint(self, study: str, preset: str) -> str:
        """32 hex digits that change with any result of the study: a state, an evaluation, a sample grid.

        Costs, attempts, diagnostics, spectra, verdicts and the kind of database do not change it.
        """
        with self._read() as connection:
            return frames.fingerprint(connection, study, preset)

    def expected_costs(self) -> pd.DataFrame:
        """One row per finished trial and what it cost: what `sweeps.costs.estimate` learns from."""
        with self._read() as connection:
            return frames.costs(connection)

    def _write(
        self, function: Callable[Concatenate[Connection, Given], Result], *given: Given.args, **named: Given.kwargs
    ) -> Result:
        """Call `function` in a transaction, again where a server went away meanwhile: no call does harm twice."""

        def write() -> Result:
            with transaction(self._engine, write=True) as connection:
                return function(connection, *given, **named)

        return patiently(write, UnreachableError)

    @contextlib.contextmanager
    def _read(self) -> Iterator[Connection]:
        with contextlib.ExitStack() as stack:
            yield patiently(lambda: stack.enter_context(transaction(self._engine, write=False)), UnreachableError)
