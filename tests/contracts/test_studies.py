"""What every study and every preset must keep. A new file in sweeps/studies is tested by being there."""

import pytest

from dashboards.figures.base import FIGURES
from sngan.datasets import DATASETS
from sngan.errors import InputError
from sngan.methods import METHODS, SETTINGS
from sngan.metrics.protocols import parse
from sngan.seeding import numpy_stream
from sweeps.claims import claims_about, first_look, rule_of
from sweeps.measures import MEASURES
from sweeps.rules import Rule
from sweeps.rules.evidence import ALPHA, least_seeds
from sweeps.searching import searches_of
from sweeps.spaces import place_of
from sweeps.study import STUDIES, PlannedTrial, Preset, Study, plan
from tests.sweeps.score_samples import equal_methods, table_of

NUM_IMAGES = {"digits": {"train": 1197, "test": 600}, "cifar10": {"train": 50_000, "test": 10_000}}
ALL = [pytest.param(study, id=name) for name, study in STUDIES.items()]
PRESETS = [
    pytest.param(study, preset, id=f"{name}-{preset.name}")
    for name, study in STUDIES.items()
    for preset in study.presets.values()
]


def planned(study: Study, preset: Preset) -> list[PlannedTrial]:
    """What is planned before anything has run."""
    searches = searches_of(study.name, preset, methods=None, settings=None, seeds=None, memory=None)
    return plan(preset) if searches is None else searches.plan(None)


def test_there_is_the_main_study_with_its_presets() -> None:
    assert list(STUDIES["robustness"].presets) == ["quick", "cifar10-short", "cifar10", "stl10-short", "stl10"]
    assert STUDIES["robustness"].preset("cifar10").config["updates"] == 100_000
    assert "not CIFAR-10" in STUDIES["robustness"].preset("quick").caveat


@pytest.mark.parametrize("study", ALL)
def test_a_study_asks_one_question_and_names_its_parts(study: Study) -> None:
    assert STUDIES[study.name] is study
    assert study.question.endswith("?")
    assert study.description.endswith(".")
    assert all(name == preset.name for name, preset in study.presets.items())
    names = [claim.name for claim in study.claims]
    assert len(set(names)) == len(names) > 0
    assert len(set(study.figures)) == len(study.figures) > 0


@pytest.mark.parametrize("study", ALL)
def test_figures_exist(study: Study) -> None:
    assert set(study.figures) <= set(FIGURES)


@pytest.mark.parametrize("study", ALL)
def test_an_unknown_preset_is_answered_with_the_nearest(study: Study) -> None:
    name = next(iter(study.presets))
    with pytest.raises(InputError, match=f"Did you mean '{name}'"):
        study.preset(f"{name}x")


@pytest.mark.parametrize(("study", "preset"), PRESETS)
def test_a_preset_can_be_planned(study: Study, preset: Preset) -> None:
    trials = planned(study, preset)
    settings = {trial.setting for trial in trials}
    assert len(trials) == len(preset.methods) * len(settings) * preset.seeds
    assert settings == set(preset.settings) if preset.search is None else settings < set(preset.settings)
    # Samplers share a search's first round.
    shared = 1 if preset.search is None else len(preset.search.samplers)
    assert len({trial.digest for trial in trials}) * shared == len(trials), "two cells with the same config"
    config = trials[0].config
    # Every field that the preset names is really that of its trials, and evaluations end with the last update.
    kept = preset.config.keys() - METHODS[trials[0].method].overrides.keys()
    assert {name: getattr(config, name) for name in kept} == {name: preset.config[name] for name in kept}
    assert config.updates % config.evaluate_every == 0
    assert config.dataset in DATASETS
    assert preset.description.endswith(".")
    assert preset.caveat == "" or preset.caveat.endswith(".")


@pytest.mark.parametrize(("study", "preset"), PRESETS)
def test_protocols_are_measured_on_what_the_data_set_has(study: Study, preset: Preset) -> None:
    protocols = [parse(name) for name in preset.config["protocols"]]
    assert preset.headline in preset.config["protocols"]
    for protocol in protocols:
        assert (protocol.extractor == "digits") == (preset.config["dataset"] == "digits")
        if protocol.split and preset.config["dataset"] in NUM_IMAGES:
            assert protocol.num_real <= NUM_IMAGES[preset.config["dataset"]][protocol.split]


@pytest.mark.parametrize(("study", "preset"), PRESETS)
def test_every_claim_can_be_judged_at_every_preset(study: Study, preset: Preset) -> None:
    metrics = {*(parse(name).metric for name in preset.config["protocols"]), *MEASURES}
    for claim in claims_about(study.claims, preset.config["dataset"], preset.settings):
        rule = rule_of(claim)
        assert set(rule.methods) <= set(preset.methods), claim.name
        assert set(rule.settings) <= set(preset.settings), claim.name
        sampler = getattr(rule, "sampler", None)
        assert sampler is None or (preset.search is not None and sampler in preset.search.samplers), claim.name
        assert rule.metric in metrics, claim.name


@pytest.mark.parametrize(("study", "preset"), PRESETS)
def test_another_data_set_than_the_papers_has_a_caveat(study: Study, preset: Preset) -> None:
    spoken_of = {name for claim in study.claims for name in rule_of(claim).datasets}
    if preset.config["dataset"] not in spoken_of:
        assert preset.caveat


@pytest.mark.parametrize(("study", "preset"), PRESETS)
def test_methods_and_settings_are_known_and_named_once(study: Study, preset: Preset) -> None:
    listed = [name for name in preset.settings if place_of(name) is None]
    assert listed == (list(preset.settings) if preset.search is None else [])
    for chosen, catalog in ((preset.methods, METHODS), (listed, SETTINGS)):
        assert [catalog[name].name for name in chosen] == list(chosen), "a name is written in its one way"
        assert len(set(chosen)) == len(chosen)


@pytest.mark.parametrize(("study", "preset"), PRESETS)
def test_more_than_a_demonstration_has_the_seeds_that_a_verdict_takes(study: Study, preset: Preset) -> None:
    claims = claims_about(study.claims, preset.config["dataset"], preset.settings)
    if any(preset.config["dataset"] in rule_of(claim).datasets for claim in claims) and preset.search is None:
        assert preset.seeds >= first_look(len(claims))
        for claim in claims:
            contrasts = num_contrasts(rule_of(claim), preset.seeds)
            assert preset.seeds >= least_seeds(ALPHA / contrasts), f"{claim.name} could never be contradicted"


def num_contrasts(rule: Rule, num_seeds: int) -> int:
    """How many comparisons a claim makes."""
    values = equal_methods(rule.methods, num_seeds, numpy_stream(0, "bootstrap"), num_settings=len(rule.settings))
    return len(rule.contrasts(table_of(values, rule.methods, settings=rule.settings, metric=rule.metric)))
