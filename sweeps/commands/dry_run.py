"""What --dry-run says: what would run, and how long it would take."""

import contextlib
from collections.abc import Iterator, Sequence

import click

from sweeps.commands.options import Place
from sweeps.costs import CostEstimate, estimate, in_order
from sweeps.engine import device_kind, num_slots
from sweeps.progress_tables import plain_table, show
from sweeps.store import NoResultsError, ResultStore, open_store
from sweeps.study import PlannedTrial
from sweeps.sweep import Sweep
from sweeps.until_decided import Candidates
from sweeps.wording import counted, duration

_MOST_NAMES = 8


def tell_dry_run(sweep: Sweep, place: Place) -> None:
    """Say what would run and how long it would take."""
    with _results(place.database) as store:
        sweep = sweep.proposed(store)
        candidates = _candidates(sweep, store)
        later = {} if candidates is None else {trial.digest: trial for trial in candidates.at_most()}
        everything = {**sweep.planned, **later}
        states = {} if store is None else store.known_states(everything)
        todo = [trial for digest, trial in everything.items() if digest not in states or not states[digest].finished]
        estimated = CostEstimate(seconds={trial.digest: None for trial in todo}, unmeasured=())
        if store is not None and todo:
            estimated = estimate(todo, store.expected_costs(), device=device_kind(sweep.engine))
    missing = [trial for trial in todo if trial.digest in sweep.planned]
    if missing:
        columns = ("method", "settings", "which seeds", "trials", "expected for all")
        show(plain_table(columns, _rows(missing, estimated), title="Trials to run"))
    click.echo(f"{counted(len(missing), 'trial')} to run, {len(sweep.planned) - len(missing)} already done.")
    if sweep.to_come:
        click.echo(f"{counted(sweep.to_come, 'more trial')} will be proposed from the results of these.")
    click.echo(_expected_text(estimated.of(missing), num_slots(sweep.engine)))
    if sweep.engine.storage is not None:
        click.echo(f"Checkpoints and image grids would be kept in {sweep.engine.storage}.")
    if candidates is not None:
        first, last = candidates.looks.first, candidates.looks.last
        more = [trial for trial in todo if trial.digest not in sweep.planned]
        click.echo(
            f"Then {counted(len(candidates.claims), 'claim')} judged after every seed from {first} to {last}, and more "
            f"seeds only for those still open: at most {counted(len(more), 'trial')} more."
        )
        click.echo(_expected_text(estimated.of(more), num_slots(sweep.engine)))


@contextlib.contextmanager
def _results(database: str) -> Iterator[ResultStore | None]:
    """What was stored before; None where a launch would begin the database, which this does not."""
    try:
        store = open_store(database, create=False)
    except NoResultsError:
        yield None
        return
    with store:
        yield store


def _candidates(sweep: Sweep, store: ResultStore | None) -> Candidates | None:
    """The claims that further seeds may decide; None where no further seeds are asked for."""
    if sweep.until is None:
        return None
    known = None if store is None else store.looks(*sweep.key)
    return Candidates.of(sweep.study, sweep.preset, sweep.trials, sweep.until, known)


def _rows(missing: Sequence[PlannedTrial], estimated: CostEstimate) -> list[list[object]]:
    """A row per method; the ones that are expected to take longest, which run first, stand first."""
    of_methods: dict[str, list[PlannedTrial]] = {}
    for trial in in_order(missing, estimated):
        of_methods.setdefault(trial.method, []).append(trial)
    return [
        [
            method,
            _listed(sorted({trial.setting for trial in trials})),
            _seeds_text(sorted({trial.seed for trial in trials})),
            len(trials),
            _cost_text([estimated.seconds[trial.digest] for trial in trials]),
        ]
        for method, trials in of_methods.items()
    ]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= _MOST_NAMES else f"{names[0]} to {names[-1]}, {len(names)} in all"


def _seeds_text(seeds: Sequence[int]) -> str:
    in_a_row = len(seeds) > 1 and seeds[-1] - seeds[0] == len(seeds) - 1
    return f"{seeds[0]} to {seeds[-1]}" if in_a_row else _listed([str(seed) for seed in seeds])


def _cost_text(seconds: Sequence[float | None]) -> str:
    known = [cost for cost in seconds if cost is not None]
    if not known:
        return "not measured yet"
    unknown = len(seconds) - len(known)
    return duration(sum(known)) + (f", {unknown} not measured yet" if unknown else "")


def _expected_text(estimated: CostEstimate, slots: int) -> str:
    """What the missing trials will take, and what of that is not known."""
    if not estimated.seconds:
        return "Nothing would run."
    wall_s = estimated.wall_s(slots)
    if wall_s is None:
        return "The time cannot be told: no comparable trial has been measured in this database."
    least = "at least " if estimated.num_unknown else ""
    text = f"Expected: {least}{duration(wall_s)} with {slots} at a time"
    return f"{text} ({duration(estimated.known_s)} one after another).\n{estimated.explanation}".rstrip()
