"""What every claim of every study, and every rule, must keep. A new entry is tested by being there."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from sngan.datasets import DATASETS
from sngan.errors import InputError
from sngan.methods import METHODS, SETTINGS
from sngan.metrics.protocols import parse
from sngan.seeding import numpy_stream
from sweeps.claims import judge, rule_of
from sweeps.measures import MEASURES
from sweeps.records import StudyRecords
from sweeps.reporting import judge_study
from sweeps.rules import RULES, Rule
from sweeps.rules.rank_order import RankOrder
from sweeps.scores import ScoreTable
from sweeps.statistics import FloatArray
from sweeps.store import open_store
from sweeps.study import STUDIES, Claim, Study, plan
from tests.sweeps.score_samples import equal_methods, table_of

CLAIMS = [pytest.param(claim, id=f"{study.name}-{claim.name}") for study in STUDIES.values() for claim in study.claims]
_RULES = [rule_of(claim) for study in STUDIES.values() for claim in study.claims]
NAMES = METHODS.ordered({*METHODS, *(name for rule in _RULES for name in rule.methods)})
# What claims about searches speak of, beside the settings that others name.
SEARCHED = (*(f"random-{number:03}" for number in range(5)), "random-best-0")
SETTING_NAMES = (*SETTINGS.ordered({*SETTINGS, *(name for rule in _RULES for name in rule.settings)}), *SEARCHED)


def tables(
    values: FloatArray, methods: tuple[str, ...] = NAMES, settings: tuple[str, ...] = SETTING_NAMES
) -> dict[str, ScoreTable]:
    """The same numbers as FID, KID, IS and every measure: enough for any claim to be judged."""
    return {
        metric: table_of(values, methods, settings=settings, metric=metric, floor=None)
        for metric in ("fid", "kid", "is", *MEASURES)
    }


def some_values(num_seeds: int) -> FloatArray:
    return equal_methods(NAMES, num_seeds, numpy_stream(0, "bootstrap"), num_settings=len(SETTING_NAMES))


@pytest.mark.parametrize("claim", CLAIMS)
def test_says_what_it_is_and_can_be_read(claim: Claim) -> None:
    rule = rule_of(claim)
    assert claim.sentence.endswith(".")
    assert "arXiv:" in claim.source
    assert all(METHODS[name].name == name for name in rule.methods)
    assert all(SETTINGS[name].name == name for name in rule.settings)
    assert set(rule.datasets) <= set(DATASETS)
    assert rule.datasets, "a claim speaks of some data set"
    assert rule.metric in {"fid", "kid", "is", *MEASURES}
    if isinstance(rule, RankOrder) and rule.published_protocol:
        assert parse(rule.published_protocol).metric == rule.metric


@pytest.mark.parametrize("study", STUDIES.values(), ids=lambda study: study.name)
def test_a_study_without_any_result_is_undecided(study: Study, tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path}/results.db") as store:
        for preset in study.presets.values():
            trials = plan(preset, seeds=1)
            store.register(study.name, preset.name, {"question": study.question}, trials)
            for trial in trials:
                store.start_attempt(trial.digest, host="here", device="cpu", versions={})
                store.fail(trial.digest, "OSError: no space left on device")
            verdicts = judge_study(StudyRecords(store=store, study=study, preset=preset))
            assert len(verdicts) == len(study.claims)
            assert {verdict.verdict for verdict in verdicts} <= {"undecided"}


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_mistake_is_refused_with_the_name_of_the_claim(claim: Claim) -> None:
    argument = dataclasses.replace(claim, contrast={**claim.contrast, "dataset": ("cifar10",)})
    with pytest.raises(InputError, match=rf"claim {claim.name}: unknown contrast key 'dataset'\. .* 'datasets'"):
        rule_of(argument)
    rule = dataclasses.replace(claim, rule=f"{claim.rule}r")
    with pytest.raises(InputError, match=rf"claim {claim.name}: unknown rule .* '{claim.rule}'\?"):
        rule_of(rule)


@pytest.mark.parametrize("claim", CLAIMS)
def test_one_seed_is_never_enough(claim: Claim) -> None:
    stream = numpy_stream(1, "bootstrap")
    for _ in range(20):
        # Scores all over the place: effects as large as they get.
        values = stream.lognormal(4, 3, (len(NAMES), len(SETTING_NAMES), 1))
        found = judge([claim], tables(values))[0]
        assert (found.verdict, found.num_seeds, found.low, found.high) == ("undecided", 1, None, None)
        assert "1 seed cannot decide" in found.explanation


@pytest.mark.parametrize("claim", CLAIMS)
def test_exactly_equal_numbers_decide_nothing(claim: Claim) -> None:
    assert judge([claim], tables(np.full((len(NAMES), len(SETTING_NAMES), 5), 50.0)))[0].verdict == "undecided"


@pytest.mark.parametrize("claim", CLAIMS)
def test_verdicts_are_complete_and_plain(claim: Claim) -> None:
    for num_seeds in (1, 2, 5):
        found = judge([claim], tables(some_values(num_seeds)))[0]
        assert found.claim == claim.name
        assert found.explanation.endswith(".")
        assert found.effect_label
        assert found.protocol.partition("/")[0] == rule_of(claim).metric
        assert found.effect is not None
        if found.low is not None:
            assert found.high is not None
            assert -1 <= found.low <= found.effect <= found.high <= 1
        assert (found.seeds_needed is None) or (found.verdict == "undecided" and found.seeds_needed > num_seeds)
        plain = dataclasses.asdict(found)
        assert json.loads(json.dumps(plain, allow_nan=False)) == plain


@pytest.mark.parametrize("claim", CLAIMS)
def test_everything_that_is_missing_is_named(claim: Claim) -> None:
    rule, values = rule_of(claim), some_values(5)
    for method in rule.methods:
        rest = tuple(name for name in NAMES if name != method)
        found = judge([claim], tables(values[[NAMES.index(name) for name in rest]], rest))[0]
        assert (found.verdict, found.effect) == ("undecided", None)
        assert f"method {method}" in found.explanation
    for setting in rule.settings:
        rest_settings = tuple(name for name in SETTING_NAMES if name != setting)
        found = judge([claim], tables(values[:, :-1], settings=rest_settings))[0]
        assert found.verdict == "undecided"
        assert f"setting {setting}" in found.explanation
    assert "was not measured" in judge([claim], {})[0].explanation


@pytest.mark.parametrize("claim", CLAIMS)
def test_order_of_methods_settings_and_seeds_does_not_matter(claim: Claim) -> None:
    stream, values = numpy_stream(2, "bootstrap"), some_values(5)
    methods, settings, seeds = (stream.permutation(size) for size in values.shape)
    shuffled = tables(
        values[methods][:, settings][:, :, seeds],
        tuple(NAMES[i] for i in methods),
        tuple(SETTING_NAMES[i] for i in settings),
    )
    first, second = judge([claim], tables(values))[0], judge([claim], shuffled)[0]
    assert (first.verdict, first.effect_label, first.explanation) == (
        second.verdict, second.effect_label, second.explanation,
    )  # fmt: skip
    assert (first.effect, first.low, first.high) == pytest.approx((second.effect, second.low, second.high))


@pytest.mark.parametrize("claim", CLAIMS)
def test_mostly_diverged_runs_are_judged_without_errors(claim: Claim) -> None:
    values = some_values(4)
    diverged = np.ones(values.shape, dtype=bool)
    diverged[..., 0] = False
    broken = {
        m: table_of(values, NAMES, settings=SETTING_NAMES, diverged=diverged, metric=m)
        for m in ("fid", "kid", "is", *MEASURES)
    }
    found = judge([claim], broken)[0]
    assert found.num_seeds == 4
    # Runs that diverge everywhere say nothing of two methods; a limit of its own a method breaks by diverging.
    assert found.verdict in (("undecided", "contradicted") if claim.rule == "keeps-limit" else ("undecided",))


@pytest.mark.parametrize("name", RULES)
def test_rules_document_every_argument(name: str) -> None:
    rule = RULES[name]
    own = {field.name for field in dataclasses.fields(rule)} - {field.name for field in dataclasses.fields(Rule)}
    assert rule.name == name
    assert own
    for field in own:
        assert f"`{field}`" in (rule.__doc__ or "") or f"{field} :" in (rule.__doc__ or ""), field


@pytest.mark.parametrize("name", RULES)
def test_every_rule_is_used_by_a_claim(name: str) -> None:
    assert name in {claim.rule for study in STUDIES.values() for claim in study.claims}
