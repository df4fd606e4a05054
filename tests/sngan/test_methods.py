"""Methods and settings by name, and varied in their names."""

import pytest

from sngan.config import TrialConfig
from sngan.errors import InputError
from sngan.methods import METHODS, SETTINGS
from sngan.regularizers.bidirectional_spectral_norm import BidirectionalSpectralNorm
from sngan.regularizers.orthonormal import Orthonormal
from sngan.regularizers.scale import Scale
from sweeps.commands.options import split_names
from sweeps.study import STUDIES, plan


def test_a_varied_method_differs_in_its_field_alone() -> None:
    method, varied = METHODS["orthonormal"], METHODS["orthonormal(coefficient=0.10)"]
    assert varied.name == "orthonormal(coefficient=0.1)"
    assert varied.label == "Orthonormal (coefficient 0.1)"
    assert varied.regularizers == (Orthonormal(coefficient=0.1),)
    assert (varied.loss, varied.overrides, varied.source) == (method.loss, method.overrides, method.source)
    hinge = METHODS["sn(loss=hinge)"]
    assert hinge.apply(TrialConfig()).digest == METHODS["sn-hinge"].apply(TrialConfig()).digest
    assert METHODS["bssn(factor=0.7)"].regularizers == (BidirectionalSpectralNorm(), Scale(factor=0.7))


def test_the_same_variation_has_one_name_and_the_defaults_digest_is_the_methods_own() -> None:
    one, other = METHODS["wgan-gp(norm_epsilon=0,coefficient=1)"], METHODS["wgan-gp( coefficient=1.0, norm_epsilon=0 )"]
    assert one == other
    assert METHODS[one.name] == one
    base = TrialConfig()
    assert METHODS["orthonormal(coefficient=1)"].apply(base).digest == METHODS["orthonormal"].apply(base).digest


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("orthonormal(coeficient=1)", "coefficient"),
        ("orthonormal(loss=hing)", "hinge"),
        ("orthonormal(coefficient=-1)", "coefficient is -1"),
        ("orthonormal(coefficient=x)", "must be of type float"),
        ("orthonormal(coefficient)", "NAME(FIELD=VALUE)"),
        ("orthonormal()", "NAME(FIELD=VALUE)"),
        ("orthonormal(coefficient=1,coefficient=2)", "gives a field twice"),
        ("othonormal(coefficient=1)", "orthonormal"),
        ("none(coefficient=1)", "unknown field of method 'none'"),
        ("sn(", "does not end with one"),
    ],
)
def test_mistakes_in_variations_are_named(name: str, expected: str) -> None:
    assert name not in METHODS
    with pytest.raises(InputError) as raised:
        METHODS[name]
    assert expected in str(raised.value)
    assert len(str(raised.value).splitlines()) <= 2


def test_variations_are_planned_beside_methods() -> None:
    names = split_names("sn, orthonormal(coefficient=0.1), wgan-gp(coefficient=1,norm_epsilon=0)", "methods")
    assert names == ["sn", "orthonormal(coefficient=0.1)", "wgan-gp(coefficient=1,norm_epsilon=0)"]
    trials = plan(STUDIES["robustness"].preset("quick"), methods=names, settings=["A"], seeds=1)
    assert [trial.method for trial in trials] == names
    assert len({trial.digest for trial in trials}) == 3


def test_a_varied_setting_differs_in_its_fields_alone() -> None:
    base = TrialConfig()
    setting = SETTINGS["D(n_dis=10, generator_batch_size=128)"]
    assert setting.name == "D(generator_batch_size=128,n_dis=10)"
    plain, varied = SETTINGS["D"].apply(base), setting.apply(base)
    assert varied == plain.replace(n_dis=10, generator_batch_size=128)
    assert SETTINGS["D(n_dis=5)"].apply(base).digest == plain.digest
    assert SETTINGS.ordered(["E", "D(n_dis=10)", "D(n_dis=2)", "D", "other"]) == (
        "D", "D(n_dis=2)", "D(n_dis=10)", "E", "other",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("D(n_diss=1)", "Did you mean 'n_dis'"),
        ("D(n_dis=x)", "must be of type int"),
        ("D(loss=hinge)", "unknown field of setting 'D': 'loss'"),
        ("D(dataset=cifar10)", "unknown field of setting 'D': 'dataset'"),
        ("G(n_dis=1)", "unknown setting 'G'"),
    ],
)
def test_mistakes_in_varied_settings_are_named(name: str, expected: str) -> None:
    assert name not in SETTINGS
    with pytest.raises(InputError) as raised:
        SETTINGS[name]
    assert expected in str(raised.value)
    assert len(str(raised.value).splitlines()) <= 2


def test_a_method_keeps_what_defines_it_from_a_varied_setting() -> None:
    preset = STUDIES["robustness"].preset("quick")
    (trial,) = plan(preset, methods=["sn"], settings=["C(discriminator_init=lecun)"], seeds=1)
    assert trial.config.discriminator_init == "lecun"
    with pytest.raises(InputError, match="by definition of method 'orthonormal'"):
        plan(preset, methods=["orthonormal"], settings=["C(discriminator_init=lecun)"], seeds=1)
