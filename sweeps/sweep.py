"""A launch from plan to report: runs what is missing, remembers it, judges it."""

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sngan.errors import InputError
from sngan.inputs import describe_inputs
from sweeps import plugins, provenance
from sweeps.board import Board
from sweeps.claiming import StoreClaims, claiming
from sweeps.claims import Verdict
from sweeps.costs import CostEstimate, estimate, in_order
from sweeps.engine import EngineOptions, EngineResult, device_kind, num_slots, run, starting
from sweeps.grids import GridFetcher
from sweeps.listeners import Listeners, Observer, StoreWriter
from sweeps.object_storage import ObjectStorage
from sweeps.progress import View
from sweeps.reporting import concluded, is_current
from sweeps.scores import refuse_mixtures
from sweeps.searching import Searches
from sweeps.store import ResultStore, TrialState, open_store
from sweeps.study import PlannedTrial, Preset, Study
from sweeps.tracking import Mirrored
from sweeps.until_decided import Candidates, Rounds, UntilDecided
from sweeps.variation import describe
from sweeps.writable import check_writable

if TYPE_CHECKING:
    from sweeps.engine import Started


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What is launched.

    study, preset : as varied by the user. trials : the plan. searches : what proposes the trials of a preset with a
    search; the plan then holds those that are known. out : folder of results, absolute. database : URL of the store.
    mlflow : URI of the mirror, or None. command : the command line, for provenance. until : add seeds to the plan while
    claims are open, or None.
    """

    study: Study
    preset: Preset
    trials: Sequence[PlannedTrial]
    out: Path
    database: str
    engine: EngineOptions
    mlflow: str | None
    command: Sequence[str]
    searches: Searches | None = None
    until: UntilDecided | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What the store's methods take."""
        return self.study.name, self.preset.name

    @property
    def name(self) -> str:
        """STUDY-PRESET, as the report's folder is called."""
        return "-".join(self.key)

    @cached_property
    def planned(self) -> Mapping[str, PlannedTrial]:
        """The trials by digest, each once."""
        planned: dict[str, PlannedTrial] = {}
        for trial in self.trials:
            planned.setdefault(trial.digest, trial)
        return planned

    @property
    def to_come(self) -> int:
        """Trials that the searches have not proposed yet."""
        return 0 if self.searches is None else self.searches.num_trials - len(self.trials)

    def with_more(self, trials: Sequence[PlannedTrial]) -> "Sweep":
        """The same sweep with further trials."""
        return dataclasses.replace(self, trials=[*self.trials, *trials])

    def proposed(self, store: ResultStore | None) -> "Sweep":
        """The sweep with what its searches want by now; itself where the plan is fixed."""
        if self.searches is None:
            return self
        return dataclasses.replace(self, trials=self.searches.plan(store))


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a launch ended.

    sweep : with all trials that were planned in the end. missing : those of them without a result. failed : digest ->
    error of those that were given up. ran : trials that got their result now. report, verdicts : None and empty where
    a stop came before. written : whether it was this launch that wrote the report. mlflow : where MLflow shows the
    trials, an address or a command; None unreached. why : why no more seeds were added, where that was asked for.
    others : launches, in words, that run some of the missing trials.
    """

    sweep: Sweep
    missing: Sequence[PlannedTrial]
    failed: Mapping[str, str]
    ran: int
    interrupted: bool
    report: Path | None
    verdicts: Sequence[Verdict] = ()
    written: bool = False
    mlflow: str | None = None
    why: str = ""
    others: Sequence[str] = ()


def launch(sweep: Sweep, say: Callable[[str], None], observer: Observer | None = None) -> Ending:
    """Run what is missing of a sweep, then judge and report it. `say` gets lines for the user.

    Launching again runs only what is missing; with nothing missing and the report up to date, it changes nothing.
    Other launches may share the study: each trial is run by one of them, and all end when everything has a result.
    `observer` is told of everything. Raises InputError for whatever the user can mend.
    """
    check_writable(sweep.out)
    observer = observer or Observer()
    with (
        open_store(sweep.database) as store,
        claiming(store, store.folder or sweep.out, _about(sweep)) as claims,
        observer.following(store),
    ):
        sweep = sweep.proposed(store)
        claims.bury()
        refuse_mixtures(store.trials(*sweep.key), sweep.trials)
        rounds = _rounds(sweep, store, observer)
        missing = missing_trials(sweep, store.known_states(sweep.planned))
        if missing:
            return _run_missing(sweep, store, claims, missing, rounds, say, observer)
        store.register(*sweep.key, describe(sweep.study, sweep.preset), sweep.trials)
        if rounds is not None:
            rounds.remember()
            if missing := rounds.further():
                say(rounds.said)
                return _run_missing(sweep.with_more(missing), store, claims, missing, rounds, say, observer)
        with contextlib.ExitStack() as stack:
            if not is_current(store, sweep.study, sweep.preset, sweep.out):
                mirror = Mirrored(sweep.mlflow, store, sweep.study, sweep.preset.name, sweep.out)
                GridFetcher(sweep.engine.storage, sweep.out).fetch_missing(store, *sweep.key)
                stack.enter_context(mirror).begin()
            page, verdicts, written = concluded(store, sweep.study, sweep.preset, sweep.out, observer.on_verdicts)
        nothing = EngineResult(finished=frozenset(), failed={}, interrupted=False)
        why = rounds.said if rounds else ""
        return _ending(sweep, (), nothing, report=page, verdicts=verdicts, written=written, why=why)


def _rounds(sweep: Sweep, store: ResultStore, observer: Observer) -> Rounds | None:
    """The seeds that come after the plan; None where none do."""
    if sweep.until is None:
        return None
    candidates = Candidates.of(sweep.study, sweep.preset, sweep.trials, sweep.until, store.looks(*sweep.key))

    def expected_s(trials: Sequence[PlannedTrial]) -> float | None:
        estimated = estimate(trials, store.expected_costs(), device=device_kind(sweep.engine))
        return estimated.wall_s(num_slots(sweep.engine))

    return Rounds(
        store, sweep.study, sweep.preset, candidates,
        max_s=sweep.until.max_s, expected_s=expected_s, heard=observer.on_verdicts,
    )  # fmt: skip


def _about(sweep: Sweep) -> str:
    """The launch, as others are told of it."""
    return (
        f"{sweep.name}, process {os.getpid()} on {provenance.host_name()} since {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    )


def _run_missing(
    sweep: Sweep,
    store: ResultStore,
    claims: StoreClaims,
    missing: Sequence[PlannedTrial],
    rounds: Rounds | None,
    say: Callable[[str], None],
    observer: Observer,
) -> Ending:
    if sweep.engine.storage is not None:
        ObjectStorage(sweep.engine.storage).check()
    say(f"{len(missing)} of {len(sweep.planned)} trials to run; preparing the data ...")
    for other in claims.others([trial.digest for trial in missing]):
        say(f"Shared with another launch: {other}.")
    with starting(sweep.engine) as started:
        return _run_started(sweep, store, claims, missing, rounds, say, observer, started)


def _run_started(
    sweep: Sweep,
    store: ResultStore,
    claims: StoreClaims,
    missing: Sequence[PlannedTrial],
    rounds: Rounds | None,
    say: Callable[[str], None],
    observer: Observer,
    started: "Started",
) -> Ending:
    about = provenance.collect(sweep.command)
    # Before anything is remembered: what would stop every trial is an error here. On the CPU: the driver takes no
    # share of a GPU, and may stand on a machine without one.
    inputs = describe_inputs(missing[0].config, dataclasses.replace(sweep.engine.run, device="cpu"))
    _refuse_other_inputs(sweep, store, inputs)
    if started is not None and sweep.engine.address != "none":
        started.wait()  # a cluster that does not answer leaves no plan behind; a Ray of our own may start meanwhile
    store.register(*sweep.key, describe(sweep.study, sweep.preset), sweep.trials)
    if rounds is not None:
        rounds.remember()
    store.set_provenance(*sweep.key, {**about, "inputs": inputs, **plugins.described()})
    store.requeue(sweep.planned, claims.holder)
    estimated = estimate(sweep.trials, store.expected_costs(), device=device_kind(sweep.engine))
    grids = GridFetcher(sweep.engine.storage, sweep.out)
    with Mirrored(sweep.mlflow, store, sweep.study, sweep.preset.name, sweep.out) as mirror:
        with _view(sweep, store, estimated) as view:
            later = _later_rounds(sweep, store, view.board)
            if rounds is not None:
                later = _further_seeds(sweep, store, view.board, rounds, say)
            engine = dataclasses.replace(sweep.engine, plugins=plugins.keep(sweep.out))
            listeners = Listeners(grids, StoreWriter(store), view, mirror, observer)
            missing = in_order(missing, estimated)
            with observer.running(missing, estimated, lambda: mirror.shown):
                result = run(missing, engine, listeners, then=later, started=started, claims=claims)
        sweep, states = sweep.proposed(store), store.states(*sweep.key)
        sweep = sweep.with_more(rounds.begun if rounds else ())
        left = missing_trials(sweep, states)
        if rounds is not None and result.interrupted and not left:
            left = rounds.further()
            sweep = sweep.with_more(left)
        if result.interrupted and left:
            ours = (trial.digest for trial in left if trial.digest in states.keys() - result.failed.keys())
            store.requeue(ours, claims.holder)
            mirror.hurried = True
            others = claims.others([trial.digest for trial in left])
            return dataclasses.replace(_ending(sweep, left, result, report=None), others=others)
        grids.fetch_missing(store, *sweep.key)
        page, verdicts, written = concluded(store, sweep.study, sweep.preset, sweep.out, observer.on_verdicts)
    why = "" if rounds is None or left else rounds.said
    return _ending(sweep, left, result, report=page, verdicts=verdicts, written=written, mlflow=mirror.shown, why=why)


def _further_seeds(
    sweep: Sweep, store: ResultStore, board: Board, rounds: Rounds, say: Callable[[str], None]
) -> Iterator[Sequence[PlannedTrial]]:
    """The next seeds of the claims that are open, round after round; nothing after one that failed."""
    while not missing_trials(sweep, store.states(*sweep.key)) and (new := rounds.further()):
        say(rounds.said)
        sweep = sweep.with_more(new)
        store.register(*sweep.key, describe(sweep.study, sweep.preset), new)
        board.expect(new, store.states(*sweep.key), to_come=0)
        yield in_order(new, estimate(new, store.expected_costs(), device=device_kind(sweep.engine)))


def _later_rounds(sweep: Sweep, store: ResultStore, board: Board) -> Iterator[Sequence[PlannedTrial]]:
    """What the searches propose from the results so far, round after round; nothing where the plan is fixed."""
    while sweep.searches is not None:
        known = {trial.cell for trial in sweep.trials}
        sweep = sweep.proposed(store)
        new = [trial for trial in sweep.trials if trial.cell not in known]
        if not new:
            return
        store.register(*sweep.key, describe(sweep.study, sweep.preset), new)
        states = store.states(*sweep.key)
        board.expect(new, states, to_come=sweep.to_come)
        wanted = missing_trials(dataclasses.replace(sweep, trials=new), states)
        yield in_order(wanted, estimate(wanted, store.expected_costs(), device=device_kind(sweep.engine)))


def _refuse_other_inputs(sweep: Sweep, store: ResultStore, inputs: Mapping[str, str]) -> None:
    """Refuse to add to results that were made with other data or measured by another network."""
    if not any(state.finished for state in store.states(*sweep.key).values()):
        return
    earlier = store.provenance(*sweep.key).get("inputs", {})
    for name, value in inputs.items():
        if earlier.get(name, value) != value:
            raise InputError(
                f"{name.replace('_', ' ')} is {value}, but the results in {store.url} were made with {earlier[name]}.\n"
                "Such numbers cannot be compared; launch into another folder with --out."
            )


def _ending(
    sweep: Sweep,
    left: Sequence[PlannedTrial],
    result: EngineResult,
    *,
    report: Path | None,
    verdicts: Sequence[Verdict] = (),
    written: bool = False,
    mlflow: str | None = None,
    why: str = "",
) -> Ending:
    return Ending(
        sweep=sweep,
        missing=left,
        failed=result.failed,
        ran=len(result.finished),
        interrupted=result.interrupted,
        report=report,
        verdicts=verdicts,
        written=written,
        mlflow=mlflow,
        why=why,
    )


def missing_trials(sweep: Sweep, states: Mapping[str, TrialState]) -> list[PlannedTrial]:
    """Planned trials without a result, each digest once, in the order of the plan."""
    return [trial for digest, trial in sweep.planned.items() if not states.get(digest, TrialState.QUEUED).finished]


def _view(sweep: Sweep, store: ResultStore, estimated: CostEstimate) -> View:
    states = store.states(*sweep.key)
    board = Board(
        sweep.trials,
        sweep.preset.headline,
        states={digest: str(state) for digest, state in states.items()},
        values=store.newest_values(*sweep.key, sweep.preset.headline),
        expected_s={digest: value for digest, value in estimated.seconds.items() if value is not None},
        slots=num_slots(sweep.engine),
        to_come=sweep.to_come,
    )
    return View(
        board,
        title=f"{sweep.study.name} {sweep.preset.name}",
        folder=str(sweep.out),
        values=lambda: store.newest_values(*sweep.key, sweep.preset.headline),
    )
