"""What a launch tells webhooks: that it is done or unfinished, that verdicts have fallen, that it is in trouble.

A message is one JSON object, described in sweeps/README.md; its `text` is what chats show. Nothing here waits for the
network or the database while trials run: states are those that the listener was told, and sweeps.webhooks posts from
threads.

Verdicts are told when the launch judges: at the looks of --until-decided, and at its end. Not after every seed of a
fixed plan: who looks at verdicts again and again without planned looks finds wrong ones (sweeps.claims).
"""

import contextlib
import dataclasses
import logging
import shlex
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from sngan.errors import InputError, one_line
from sngan.results import Evaluation, Outcome
from sweeps.claims import Verdict
from sweeps.costs import CostEstimate
from sweeps.engine import Attempt, last_line
from sweeps.listeners import Observer
from sweeps.messages import Event, envelope, publishable
from sweeps.provenance import host_name
from sweeps.silence import Patience, Silence, longest_interval_s
from sweeps.store import ResultStore, TrialState
from sweeps.study import PlannedTrial
from sweeps.sweep import Ending, Sweep, launch
from sweeps.webhooks import Address, Senders
from sweeps.wording import counted, duration

logger = logging.getLogger(__name__)
_FAILURES, _SHARE = 3, 0.2  # at least so many failed attempts, and more than this share of those begun, are too many
_LONGEST_ERROR = 300
_JOIN_S = 1.0


def launch_and_notify(
    sweep: Sweep, say: Callable[[str], None], addresses: Sequence[Address], patience: Patience | None = None
) -> Ending:
    """sweeps.sweep.launch, of which webhooks are told; at its end their answers are waited for, for some seconds."""
    if not addresses:
        return launch(sweep, say)
    senders = Senders(addresses)
    notifier = Notifier(sweep, senders.send, patience or Patience())
    try:
        ending = launch(sweep, say, notifier)
        notifier.tell_ending(ending)
        return ending
    except BaseException as error:  # a stop is one, too
        notifier.tell_break(error)
        raise
    finally:
        senders.close()


class Notifier(Observer):
    """Follows one launch, and hands a message to `send` for every event."""

    def __init__(self, sweep: Sweep, send: Callable[[Mapping[str, Any]], None], patience: Patience) -> None:
        self._sweep, self._send, self._patience = sweep, send, patience
        self._started, self._started_s = datetime.now(UTC), time.monotonic()
        self._store: ResultStore | None = None
        self._lock = threading.Lock()
        self._states: dict[str, str] | None = None
        self._page: Callable[[], str | None] = lambda: None
        self._silence = Silence(patience, None)
        self._num_to_run = self._ran = self._attempts = self._failed = self._given_up = 0
        self._told_failures = self._shared = False

    # What is heard

    @contextlib.contextmanager
    def following(self, store: ResultStore) -> Iterator[None]:
        """Inside, the store is open."""
        self._store = store
        yield
        self._learn_states()  # not after an error, which may be the database's: asking it again would take a minute

    @contextlib.contextmanager
    def running(
        self, trials: Sequence[PlannedTrial], expected: CostEstimate, page: Callable[[], str | None]
    ) -> Iterator[None]:
        """Inside, a thread sees whether nothing is heard for too long."""
        self._learn_states()
        self._page, self._num_to_run = page, len(trials)
        self._silence = Silence(self._patience, longest_interval_s(trials, expected))
        ended = threading.Event()
        thread = threading.Thread(target=self._watch, args=(self._silence, ended), name="silence", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join(_JOIN_S)

    def _learn_states(self) -> None:
        assert self._store is not None
        with contextlib.suppress(InputError):  # of which the launch itself will speak
            states = self._store.states(*self._sweep.key)
            with self._lock:
                self._states = {digest: str(state) for digest, state in states.items()}

    def _set(self, states: Mapping[str, str]) -> None:
        with self._lock:
            self._states = {**states} if self._states is None else self._states
            self._states.update(states)

    def on_start(self, trial: PlannedTrial, attempt: Attempt) -> None:
        """See Listener."""
        self._attempts += 1
        self._set({trial.digest: TrialState.RUNNING})
        self._silence.begin(trial.digest)

    def on_evaluation(self, trial: PlannedTrial, evaluation: Evaluation) -> None:
        """See Listener."""
        self._silence.evaluated(trial.digest)

    def on_finish(self, trial: PlannedTrial, outcome: Outcome) -> None:
        """See Listener."""
        self._ran += 1
        self._end({trial.digest: outcome.state})

    def on_failure(self, trial: PlannedTrial, error: str, final: bool) -> None:
        """See Listener."""
        self._end({trial.digest: TrialState.FAILED if final else TrialState.QUEUED})
        self._failed += 1
        self._given_up += final
        attempts = max(self._attempts, self._failed)  # a process that is lost while it starts has begun none
        many = self._failed >= _FAILURES and self._failed > _SHARE * attempts
        if not self._told_failures and (many or self._given_up >= self._num_to_run):
            self._told_failures = True
            newest = f"{trial.method} {trial.setting} seed {trial.seed}: {last_line(error)[:_LONGEST_ERROR]}"
            details = {"failed_attempts": self._failed, "attempts": attempts, "newest": newest}
            said = f"{self._failed} of {counted(attempts, 'attempt')} at trials failed. The newest: {newest}"
            self._tell("failures", said, details)

    def on_elsewhere(self, states: Mapping[str, str]) -> None:
        """See Listener."""
        self._shared = True
        self._end(states)

    def _end(self, states: Mapping[str, str]) -> None:
        self._set(states)
        self._silence.end(list(states))

    def on_verdicts(self, before: Sequence[Verdict], now: Sequence[Verdict]) -> None:
        """Tell of those that have changed."""
        earlier = {verdict.claim: verdict.verdict for verdict in before}
        changed = [each for each in now if each.verdict != earlier.get(each.claim, "undecided")]
        if changed:
            told = [{**self._described(each), "before": earlier.get(each.claim, "undecided")} for each in changed]
            said = (
                f"{each.claim} is {each.verdict} (was {row['before']}), with {counted(each.num_seeds, 'seed')}"
                for each, row in zip(changed, told, strict=True)
            )
            self._tell("verdict", f"{'; '.join(said)}.", verdicts=told)

    def _watch(self, silence: Silence, ended: threading.Event) -> None:
        """The thread."""
        while not ended.wait(silence.tick_s):
            try:
                found = silence.check(self._mark)
            except Exception:  # the database is away, of which the launch itself speaks
                logger.debug("the store was not asked", exc_info=True)
                continue
            if found is not None:
                self._tell_silence(*found, silence)

    def _mark(self) -> str:
        assert self._store is not None
        return self._store.fingerprint(*self._sweep.key)

    # What is told

    def _tell_silence(self, event: Literal["stuck", "resumed"], lasted_s: float, silence: Silence) -> None:
        slowest_s = None if silence.slowest_s is None else round(silence.slowest_s, 1)
        details = {"silent_s": round(lasted_s, 1), "longest_interval_s": slowest_s}
        said = f"goes on, after {duration(lasted_s)} without news of any trial."
        if event == "stuck":
            known = "nothing is known yet of how long an evaluation takes"
            if slowest_s is not None:
                known = f"the longest known time between two evaluations is {duration(slowest_s)}"
            said = f"may be stuck: no news of any trial for {duration(lasted_s)}; {known}."
        self._tell(event, said, details)

    def tell_ending(self, ending: Ending) -> None:
        """Tell how the launch ended. Of launches that shared the trials the one that wrote the report says "done"."""
        left = len(ending.missing) + ending.sweep.to_come
        verdicts = [self._described(each) for each in ending.verdicts]
        report = None if ending.report is None else str(ending.report)
        links = {"report": report, "mlflow": ending.mlflow or self._page()}
        details = {"left": left, "ran": ending.ran, "reason": ending.why}
        if left:
            details["reason"] = _why_unfinished(ending)
            going_on = (f"The study goes on in another launch: {other}." for other in ending.others)
            said = f"{_unfinished(str(details['reason']), left)} {' '.join([self._go_on, *going_on])}"
            self._tell("unfinished", said, details, verdicts=verdicts, links=links)
        elif ending.written or not self._shared:
            kinds = Counter(each.verdict for each in ending.verdicts)
            judged = [f"Verdicts: {', '.join(f'{number} {kind}' for kind, number in kinds.items())}."] if kinds else []
            said = " ".join(["done.", *judged, ending.why, f"Report: {report}"])
            self._tell("done", said, details, verdicts=verdicts, links=links)

    def tell_break(self, error: BaseException) -> None:
        """Tell that the launch was broken off."""
        reason = "it was stopped" if isinstance(error, KeyboardInterrupt) else one_line(error)
        left = None
        if self._states is not None and self._sweep.searches is None:
            results = {digest for digest, state in self._states.items() if TrialState(state).finished}
            left = len(self._sweep.planned.keys() - results)
        details = {"left": left, "ran": self._ran, "reason": reason}
        self._tell("unfinished", f"{_unfinished(reason, left)} {self._go_on}", details)

    @property
    def _command(self) -> str:
        return shlex.join(self._sweep.command)

    @property
    def _go_on(self) -> str:
        return f"Go on with: {self._command}"

    def _described(self, verdict: Verdict) -> dict[str, Any]:
        """A verdict, with the sentence that it is about."""
        sentences = {claim.name: claim.sentence for claim in self._sweep.study.claims}
        return {**dataclasses.asdict(verdict), "sentence": sentences.get(verdict.claim, "")}

    def _tell(
        self,
        event: Event,
        said: str,
        details: Mapping[str, Any] | None = None,
        *,
        verdicts: Sequence[Mapping[str, Any]] = (),
        links: Mapping[str, str | None] | None = None,
    ) -> None:
        elapsed_s = round(time.monotonic() - self._started_s, 1)
        study, preset = self._sweep.key
        with self._lock:
            trials = None if self._states is None else Counter(self._states.values())
        states = ", ".join(f"{trials[state]} {state}" for state in TrialState if trials[state]) if trials else ""
        about = ", ".join(part for part in (states, f"{duration(elapsed_s)} on {host_name()}") if part)
        message = {
            **envelope(event, f"{study} {preset}: {said} ({about})"),
            "study": study,
            "preset": preset,
            "started": self._started.isoformat(timespec="seconds"),
            "elapsed_s": elapsed_s,
            "trials": None if trials is None else {str(state): trials[state] for state in TrialState},
            "verdicts": list(verdicts),
            "details": dict(details or {}),
            "command": self._command,
        }
        # Links are made without credentials, and what stands after their ? is needed.
        self._send({**publishable(message), "links": dict(links or {"report": None, "mlflow": self._page()})})


def _unfinished(reason: str, left: int | None) -> str:
    return f"unfinished: {reason.rstrip('.')}." + ("" if left is None else f" {counted(left, 'trial')} left.")


def _why_unfinished(ending: Ending) -> str:
    if ending.failed:
        return f"{counted(len(ending.failed), 'trial')} failed"
    return "it was stopped" if ending.interrupted else "trials have no result"
