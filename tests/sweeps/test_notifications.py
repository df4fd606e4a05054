"""What webhooks are told of real launches: every kind of event, and that no secret and no hostile name goes along."""

import dataclasses
import json
import logging
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from sngan.config import TrialConfig
from sngan.results import Evaluation, Outcome, Report, RunOptions
from sngan.trial import run_trial
from sweeps import engine
from sweeps.claims import Verdict
from sweeps.commands.line import run as run_line
from sweeps.commands.options import database_url
from sweeps.engine import EngineOptions
from sweeps.messages import Event, chat_text, publishable
from sweeps.notifications import Notifier, launch_and_notify
from sweeps.provenance import command_line, host_name
from sweeps.silence import Patience
from sweeps.store import TrialState
from sweeps.study import Claim, PlannedTrial, Preset, Study, plan
from sweeps.sweep import Ending, Sweep
from sweeps.until_decided import UntilDecided
from sweeps.webhooks import Senders, check_address
from tests.sweeps.recording import troubled
from tests.sweeps.webhook_server import SECRET, Webhook

FID = "fid/gen600-test600-digits"
# After one update both methods draw the same noise: far less than twice as bad as each other.
CLAIM = Claim(
    name="similar",
    source="arXiv:0000.00000",
    sentence="No regularizer is as good as SN.",
    rule="within",
    contrast={"settings": ("C",), "method": "none", "reference": "sn", "ratio": 2.0},
)
PRESET = Preset(
    name="tiny",
    description="for tests",
    config={
        "dataset": "digits", "architecture": "small-cnn", "updates": 2, "evaluate_every": 1, "batch_size": 8,
        "generator_batch_size": 8, "z_dim": 8, "protocols": (FID,),
    },
    methods=("none", "sn"),
    settings=("C",),
    seeds=1,
    headline=FID,
)  # fmt: skip
STUDY = Study(name="made-up", question="Is it so?", description="One claim.", presets={}, claims=(CLAIM,))
FIELDS = {"version", "id", "event", "text", "host", "sent", "study", "preset", "started", "elapsed_s", "trials",
          "verdicts", "details", "command", "links"}  # fmt: skip

Run = Callable[[TrialConfig, RunOptions, Report], Outcome]
Launch = Callable[..., Ending]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def launched(out: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Launch:
    """Launches the study into `out` and tells webhooks; `trial` takes the place of sngan.trial.run_trial."""

    def start(
        *webhooks: Webhook, seeds: int = 1, until: UntilDecided | None = None, trial: Run = run_trial,
        patience: Patience | None = None, **changes: Any,
    ) -> Ending:  # fmt: skip
        monkeypatch.setattr(engine, "default_run_trial", lambda: trial)
        given = {
            "study": STUDY, "preset": PRESET, "out": out, "database": database_url(out), "mlflow": None, "until": until,
            "trials": plan(PRESET, seeds=seeds),
            "engine": EngineOptions(
                run=RunOptions(cache_dir=cache_dir, storage_dir=out, device="cpu"), engine="in-process"
            ),
            "command": command_line(["made-up", "--notify", webhooks[0].url]),
        }  # fmt: skip
        addresses = [check_address(webhook.url) for webhook in webhooks]
        return launch_and_notify(Sweep(**{**given, **changes}), lambda _: None, addresses, patience)

    return start


def stopping(config: TrialConfig, options: RunOptions, report: Report) -> Outcome:
    """The second trial gets Ctrl-C."""
    if config.seed == 1:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
    return run_trial(config, options, report)


def test_a_launch_that_is_done_says_so_with_all_that_is_known(launched: Launch, out: Path) -> None:
    with Webhook() as webhook, Webhook() as second:
        ending = launched(webhook, second)
        again = launched(webhook, second)
    assert (ending.ran, again.ran) == (2, 0)
    assert webhook.events == second.events == ["done", "done"]
    message, repeated = webhook.messages
    assert message.keys() == repeated.keys() == FIELDS
    assert (message["version"], message["study"], message["preset"]) == (1, "made-up", "tiny")
    assert message["host"] == host_name()
    assert message["trials"] == {"queued": 0, "running": 0, "completed": 2, "diverged": 0, "failed": 0}
    assert message["details"] == {"left": 0, "ran": 2, "reason": ""}
    assert repeated["details"]["ran"] == 0
    assert message["links"] == {"report": str(ending.report), "mlflow": None}
    (verdict,) = message["verdicts"]
    assert (verdict["claim"], verdict["verdict"], verdict["num_seeds"]) == ("similar", "undecided", 1)
    assert (verdict["sentence"], verdict["protocol"]) == (CLAIM.sentence, ending.verdicts[0].protocol)
    assert message["command"] == "python -m sweeps.launch made-up --notify '***'"
    assert 0 < message["elapsed_s"] < 120
    assert message["started"] <= message["sent"]
    assert message["text"].startswith("made-up tiny: done. Verdicts: 1 undecided. Report: /")
    assert f"(2 completed, {round(message['elapsed_s'])} s on {host_name()})" in message["text"]
    assert len({told["id"] for told in webhook.messages}) == 2
    assert webhook.messages[0]["id"] == second.messages[0]["id"]
    assert SECRET not in json.dumps(webhook.messages)


def test_a_verdict_is_told_at_the_look_where_it_falls_and_once(launched: Launch) -> None:
    with Webhook() as webhook:
        launched(webhook, until=UntilDecided(max_seeds=9))
    assert webhook.events == ["verdict", "done"]
    fallen, done = webhook.messages
    (verdict,) = fallen["verdicts"]
    assert (verdict["before"], verdict["verdict"]) == ("undecided", "supported")
    assert verdict["num_seeds"] < 9
    assert f"similar is supported (was undecided), with {verdict['num_seeds']} seeds." in fallen["text"]
    assert done["details"]["reason"] == "Decided: the one claim that can be judged has a verdict."
    assert {key: value for key, value in verdict.items() if key != "before"} == done["verdicts"][0]


def test_too_many_failures_are_told_once_and_the_end_is_unfinished(launched: Launch) -> None:
    def failing(config: TrialConfig, options: RunOptions, report: Report) -> Outcome:
        if config.seed in (1, 2):
            raise RuntimeError("cannot reach postgresql://me:hunter2@db/x\n<!channel> no room")
        return troubled(config.replace(seed=5), options, report)

    with Webhook() as webhook:
        launched(webhook, seeds=4, trial=failing)
    assert webhook.events == ["failures", "unfinished"]
    failures, end = webhook.messages
    assert failures["details"]["failed_attempts"] == 3
    assert failures["details"]["attempts"] == 5, "seed 0 has run"
    assert "seed 2: " in failures["details"]["newest"]
    assert failures["trials"] == {"queued": 3, "running": 0, "completed": 2, "diverged": 0, "failed": 3}
    assert "3 of 5 attempts at trials failed." in failures["text"]
    assert end["details"] == {"left": 4, "ran": 4, "reason": "4 trials failed"}
    assert end["trials"]["failed"] == 4
    assert "unfinished: 4 trials failed. 4 trials left. Go on with: python -m sweeps.launch made-up" in end["text"]
    assert "hunter2" not in json.dumps(webhook.messages)
    assert "<!channel>" not in failures["text"]


def test_trials_that_all_fail_are_too_many_however_few(launched: Launch) -> None:
    def failing(config: TrialConfig, options: RunOptions, report: Report) -> Outcome:
        raise RuntimeError("always")

    with Webhook() as webhook:
        launched(webhook, trial=failing)
    assert webhook.events == ["failures", "unfinished"]
    assert webhook.messages[0]["details"]["failed_attempts"] == 2


def test_few_failures_among_many_attempts_are_not_told(launched: Launch) -> None:
    def failing(config: TrialConfig, options: RunOptions, report: Report) -> Outcome:
        if config.seed == 7:
            raise RuntimeError("twice")
        return troubled(config.replace(seed=5), options, report)

    with Webhook() as webhook:
        launched(webhook, seeds=8, trial=failing)
    assert webhook.events == ["unfinished"]


def test_a_stopped_launch_says_what_is_left_and_how_to_go_on(launched: Launch) -> None:
    with Webhook() as webhook:
        ending = launched(webhook, seeds=3, trial=stopping)
    assert (ending.interrupted, len(ending.missing)) == (True, 4)
    (stopped,) = webhook.messages
    assert stopped["event"] == "unfinished"
    assert stopped["details"] == {"left": 4, "ran": 2, "reason": "it was stopped"}
    assert stopped["trials"] == {"queued": 4, "running": 0, "completed": 2, "diverged": 0, "failed": 0}
    assert stopped["links"]["report"] is None
    assert "unfinished: it was stopped. 4 trials left. Go on with: python -m sweeps.launch made-up" in stopped["text"]


def test_a_launch_that_is_broken_off_says_why(launched: Launch, out: Path, tmp_path: Path) -> None:
    with Webhook() as webhook:
        out.write_text("a file in the place of the folder")
        with pytest.raises(Exception, match="cannot write results"):
            launched(webhook)
        out.unlink()
        out.mkdir()
        (out / "reports").write_text("a file in the place of the folder")
        with pytest.raises(FileExistsError):
            launched(webhook)
        with pytest.raises(KeyboardInterrupt):
            launched(webhook, trials=Stop())
    early, late, stopped = webhook.messages
    assert early["event"] == late["event"] == "unfinished"
    assert early["trials"] is early["details"]["left"] is None
    assert early["details"]["reason"].startswith(f"cannot write results to {out}: it is a file")
    assert (late["details"]["left"], late["details"]["ran"]) == (0, 2), "all but the report is there"
    assert late["details"]["reason"].startswith("FileExistsError")
    assert late["trials"]["completed"] == 2
    assert stopped["details"]["reason"] == "it was stopped"


class Stop(list[PlannedTrial]):
    """A plan at whose first look somebody stops the launch."""

    def __iter__(self) -> Any:
        raise KeyboardInterrupt


def test_a_launch_that_is_stuck_says_so_once_and_once_more_when_it_goes_on(launched: Launch) -> None:
    with Webhook() as webhook:

        def waiting(config: TrialConfig, options: RunOptions, report: Report) -> Outcome:
            def slow(evaluation: Evaluation) -> None:
                if config.seed == 1 and evaluation.update == 1:
                    webhook.wait_for(lambda told: "stuck" in told.events)
                report(evaluation)
                if config.seed == 1 and evaluation.update == 1:
                    webhook.wait_for(lambda told: "resumed" in told.events)

            return run_trial(config, options, slow)

        patience = Patience(times=2, least_s=0.3, unknown_s=60)
        launched(webhook, seeds=2, trial=waiting, patience=patience, trials=plan(PRESET, methods=["sn"], seeds=2))
    assert webhook.events == ["stuck", "resumed", "done"]
    stuck, resumed, _ = webhook.messages
    assert stuck["details"]["silent_s"] >= 0.3  # rounded
    assert stuck["details"]["longest_interval_s"] >= 0
    assert stuck["trials"]["running"] == 1
    assert "may be stuck: no news of any trial for" in stuck["text"]
    assert resumed["details"]["silent_s"] >= stuck["details"]["silent_s"]
    assert "goes on, after" in resumed["text"]


@pytest.mark.slow
@pytest.mark.thorough
def test_a_webhook_that_hangs_or_is_not_there_changes_nothing(
    launched: Launch, out: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Webhook() as gone:
        pass
    with caplog.at_level(logging.DEBUG), Webhook(["hang"] * 9) as hanging:
        began = time.monotonic()
        ending = launched(hanging, gone)
        assert time.monotonic() - began < 5 + 20
    assert (ending.ran, ending.missing) == (2, [])
    assert ending.report is not None
    warnings = [record.getMessage() for record in caplog.records if "notifications" in record.getMessage()]
    assert sorted(warnings) == [
        f"--notify number {number} does not take notifications: no answer in the time that is left. "
        "The sweep is not affected."
        for number in (1, 2)
    ]
    assert SECRET not in caplog.text


def described(out: Path, **changes: Any) -> Sweep:
    """A launch that is only looked at."""
    given = {
        "study": STUDY, "preset": PRESET, "trials": plan(PRESET), "out": out, "database": "", "mlflow": None,
        "engine": EngineOptions(run=RunOptions(cache_dir=out)), "command": ["x"],
    }  # fmt: skip
    return Sweep(**{**given, **changes})


def test_hostile_names_call_nobody_and_break_nothing(out: Path) -> None:
    hostile = "a<!channel> @here <http://x|y> & \"b' \x1b[31m\u202e ${z} `id`\n"
    sweep = described(out, study=dataclasses.replace(STUDY, name=hostile), command=["x", hostile])
    with Webhook() as webhook:
        senders = Senders([check_address(webhook.url)])
        Notifier(sweep, senders.send, Patience()).tell_break(RuntimeError(hostile))
        senders.close()
    (message,) = webhook.messages
    assert message["study"] == hostile
    text = message["text"]
    for harmful in ("<", ">", "@here", "\x1b", "\u202e", "\n"):
        assert harmful not in text
    assert text.startswith("a&lt;!channel&gt; @\u200bhere &lt;http:")


def test_of_launches_that_share_a_study_the_one_that_wrote_the_report_says_done(out: Path) -> None:
    told: list[Any] = []
    sweep = described(out)
    ending = Ending(sweep=sweep, missing=(), failed={}, ran=1, interrupted=False, report=out)
    for written, events in ((False, []), (True, ["done"])):
        notifier = Notifier(sweep, told.append, Patience())
        notifier.on_elsewhere({sweep.trials[0].digest: TrialState.COMPLETED})
        notifier.tell_ending(dataclasses.replace(ending, written=written))
        assert [message["event"] for message in told] == events


def test_a_verdict_that_changes_back_is_told_and_one_that_stays_is_not(out: Path) -> None:
    told: list[Any] = []
    notifier = Notifier(described(out), told.append, Patience())
    supported = Verdict(claim="similar", verdict="supported", effect=float("inf"), num_seeds=4, explanation="")
    opened = dataclasses.replace(supported, verdict="undecided", effect=0.5, num_seeds=5)
    notifier.on_verdicts([], [opened])
    notifier.on_verdicts([supported], [supported])
    assert told == []
    notifier.on_verdicts([supported], [opened])
    notifier.on_verdicts([opened], [supported])
    back, forth = told
    assert back["verdicts"][0]["before"] == "supported"
    assert "similar is undecided (was supported), with 5 seeds." in back["text"]
    assert forth["verdicts"][0]["effect"] is None
    json.dumps(told, allow_nan=False)


def test_texts_and_values_are_made_safe() -> None:
    assert chat_text("a  b\nc") == "a b c"
    assert chat_text("see https://me:hunter2@host/x?token=hunter2") == "see https://***@\u200bhost/x?token=***"
    assert publishable({"a": [float("nan"), "https://me:hunter2@host", 1, None, True]}) == {
        "a": [None, "https://***@host", 1, None, True]
    }


def test_the_readme_describes_every_event_and_every_field() -> None:
    readme = (Path(__file__).parent.parent.parent / "sweeps" / "README.md").read_text()
    section = readme.partition("## Be told")[2].partition("\n## ")[0]
    events, fields = section.partition("| field |")[::2]
    names = re.compile(r"^\| ([^|]+) \|", re.MULTILINE)
    assert {name for row in names.findall(fields) for name in re.findall(r"`(\w+)`", row)} == FIELDS
    assert {name for row in names.findall(events) for name in re.findall(r"`(\w+)`", row)} == set(get_args(Event))


@pytest.mark.parametrize("given", ["option", "variable"])
@pytest.mark.usefixtures("small_report")
def test_the_address_is_kept_nowhere(
    given: str, tmp_path: Path, out: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    config = ["config.updates=2", "config.evaluate_every=1", "config.batch_size=8", "config.generator_batch_size=8",
              f"config.protocols={FID}"]  # fmt: skip
    changes = [part for change in config for part in ("--set", change)]
    line = ["robustness", *changes, "--methods", "sn", "--settings", "C", "--seeds", "1", "--engine", "in-process",
            "--out", str(out), "--cache-dir", str(cache_dir)]  # fmt: skip
    with Webhook([404]) as webhook:
        options = {"option": ["--notify", webhook.url], "variable": []}
        if given == "variable":
            monkeypatch.setenv("SNGAN_NOTIFY", webhook.url)
        assert run_line([*line, *options[given], "--dry-run"]) == 0
        assert webhook.told == [], "a dry run tells nobody"
        assert run_line([*line, *options[given]]) == 0
        assert [told.body["event"] for told in webhook.told] == ["done"]
    assert webhook.told[0].body["links"]["mlflow"].startswith("python -m sweeps.launch ui ")
    said = capfd.readouterr()
    assert SECRET not in said.out + said.err
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"results.db", "mlflow.db", "index.html"} <= {path.name for path in files}
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]
