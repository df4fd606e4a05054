"""A changed preset is a preset of its own, whose label says what was changed."""

import dataclasses
import re
from pathlib import Path

import pytest

from sngan.errors import InputError
from sweeps.commands.options import find_place
from sweeps.store import open_store
from sweeps.study import STUDIES, Preset, plan
from sweeps.variation import is_shortened, parse_overrides, vary

STUDY = STUDIES["robustness"]
FID = "fid/gen600-test600-digits"


def varied(name: str, **overrides: str) -> Preset:
    (preset,) = vary(STUDY, name, overrides).presets.values()
    return preset


def test_overrides_change_config_and_label_and_nothing_else() -> None:
    plain, changed = varied("quick"), varied("quick", updates="30", batch_size="8")
    assert plain == STUDY.presets["quick"]
    assert changed.name == "quick+batch_size=8+updates=30"
    assert {trial.config.updates for trial in plan(changed)} == {30}
    assert (changed.methods, changed.settings, changed.seeds) == (plain.methods, plain.settings, plain.seeds)
    assert changed.headline == plain.headline
    assert not {trial.digest for trial in plan(changed)} & {trial.digest for trial in plan(plain)}


def test_a_label_is_a_name_of_the_preset_it_stands_for() -> None:
    changed = varied("quick", updates="30", dequantization="true", adam_epsilon="1e-7")
    assert varied(changed.name) == changed
    assert varied("quick+updates=30", dequantization="true", adam_epsilon="0.0000001") == changed


def test_saying_what_the_preset_says_anyway_is_no_variation() -> None:
    updates = str(STUDY.presets["quick"].config["updates"])
    assert varied("quick", updates=updates) == STUDY.presets["quick"]


@pytest.mark.parametrize("protocols", [FID, f"{FID},is/gen600x1-digits", "kid/gen600-test600-digits"])
def test_other_protocols_make_a_label_that_is_a_folder_and_a_headline_that_is_measured(protocols: str) -> None:
    changed = varied("quick", protocols=protocols, discriminator_init="orthonormal", generator_init="normal-0.02")
    assert re.fullmatch(r"[A-Za-z0-9.,_=+~-]{1,80}", changed.name)
    assert changed.headline in plan(changed)[0].config.protocols
    assert is_shortened(changed.name)
    assert not is_shortened(varied("quick", updates="30").name)


def test_a_shortened_label_is_taken_back_where_it_was_launched(tmp_path: Path) -> None:
    overrides = (f"config.protocols={FID}", "config.updates=30")
    launched = find_place("robustness", "quick", overrides, tmp_path, None)
    description = {"preset": dataclasses.asdict(launched.preset)}
    with open_store(launched.database) as store:
        store.register(*launched.key, description, plan(launched.preset))
    again = find_place("robustness", launched.preset.name, (), tmp_path, None)
    assert again == launched
    further = find_place("robustness", launched.preset.name, ("config.batch_size=8",), tmp_path, None)
    assert further == find_place("robustness", "quick", (*overrides, "config.batch_size=8"), tmp_path, None)
    with pytest.raises(InputError, match=re.escape(f"Did you mean '{launched.preset.name}'")):
        find_place("robustness", launched.preset.name[:-1] + "x", (), tmp_path, None)
    with pytest.raises(InputError, match="results"):
        find_place("robustness", launched.preset.name, (), tmp_path / "elsewhere", None)


def test_a_field_is_given_once() -> None:
    with pytest.raises(InputError, match=r"config\.updates is given twice: '30' and '40'"):
        parse_overrides(["config.updates=30", "config.updates=40"])


def test_labels_that_lose_something_differ_by_their_mark() -> None:
    one = varied("quick", protocols="fid/gen600-test600-digits")
    other = varied("quick", protocols="fid-gen600/test600-digits")
    assert one.name.partition("~")[0] == other.name.partition("~")[0]
    assert one.name != other.name


@pytest.mark.parametrize(
    ("name", "overrides", "named"),
    [
        ("quik", {}, "Did you mean 'quick'"),
        ("quick", {"update": "3"}, "Did you mean 'updates'"),
        ("quick+update=3", {}, "Did you mean 'updates'"),
        ("quick+updates", {}, "config.KEY=VALUE"),
        ("quick", {"updates": "0"}, "config.updates is 0"),
        ("quick", {"beta1": "0.3"}, "axis of the study"),
        ("quick", {"protocols": ""}, "config.protocols is empty"),
    ],
)
def test_a_mistake_is_named(name: str, overrides: dict[str, str], named: str) -> None:
    with pytest.raises(InputError, match=re.escape(named)):
        vary(STUDY, name, overrides)


def test_pairs_are_parsed_at_the_first_equals_sign() -> None:
    assert parse_overrides(["config.dataset=a=b", "config.updates = 3"]) == {"dataset": "a=b", "updates": "3"}


def test_a_variation_says_on_every_page_what_it_changed() -> None:
    (varied,) = vary(STUDY, "quick", {"updates": "300"}).presets.values()
    assert varied.caveat.startswith("Digits are not CIFAR-10")
    assert varied.caveat.endswith("Changed from the preset: updates = 300.")
    assert "Changed" not in STUDY.presets["quick"].caveat


@pytest.mark.parametrize(
    ("key", "value", "method"),
    [("discriminator_init", "lecun", "orthonormal"), ("discriminator_forward", "joint", "batch-norm")],
)
def test_a_change_that_a_method_would_undo_is_refused(key: str, value: str, method: str) -> None:
    (varied,) = vary(
        STUDY, "quick", {**parse_overrides(["config.updates=300"]), "evaluate_every": "300"}
    ).presets.values()
    assert plan(varied)
    with pytest.raises(InputError, match=f"by definition of method '{method}'"):
        plan(STUDY.presets["quick"], methods=[method], overrides={key: value})
    assert plan(STUDY.presets["quick"], methods=["sn"], overrides={key: value})
