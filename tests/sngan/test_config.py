"""TrialConfig: strict decoding, identity, refusals."""

import json
import subprocess
import sys

import pytest

from sngan.config import TrialConfig
from sngan.errors import InputError
from sngan.methods import METHODS, SETTINGS
from sngan.regularizers.gradient_penalty import GradientPenalty
from sngan.regularizers.spectral_norm import SpectralNorm


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("setting", SETTINGS)
def test_every_method_and_setting_survives_json(method: str, setting: str) -> None:
    config = METHODS[method].apply(SETTINGS[setting].apply(TrialConfig()))
    again = TrialConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config
    assert again.digest == config.digest


def test_methods_and_settings_all_have_their_own_digest() -> None:
    configs = [
        METHODS[m].apply(SETTINGS[s].apply(TrialConfig(seed=seed)))
        for m in METHODS
        for s in SETTINGS
        for seed in (0, 1)
    ]
    assert len({config.digest for config in configs}) == len(configs)


def test_digest_is_the_same_in_another_process() -> None:
    code = "from sngan.config import TrialConfig; print(TrialConfig(seed=3).digest)"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == TrialConfig(seed=3).digest


def test_regularizers_may_be_typed_as_names_or_as_json() -> None:
    typed = TrialConfig.from_dict({"regularizers": "spectral-norm,gradient-penalty"})
    assert typed == TrialConfig(regularizers=(SpectralNorm(), GradientPenalty()))
    assert TrialConfig.from_dict({"regularizers": "none"}) == TrialConfig()
    coefficient = TrialConfig.from_dict({"regularizers": '{"name": "gradient-penalty", "coefficient": 0.1}'})
    assert coefficient == TrialConfig(regularizers=(GradientPenalty(coefficient=0.1),))


def test_order_of_regularizers_and_form_of_numbers_do_not_matter() -> None:
    one = TrialConfig(regularizers=(SpectralNorm(), GradientPenalty()))
    other = TrialConfig(regularizers=(GradientPenalty(coefficient=10), SpectralNorm()))
    assert one.digest == other.digest
    assert TrialConfig.from_dict({"alpha": 1}).digest == TrialConfig.from_dict({"alpha": 1.0}).digest


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"n_dsi": 5}, "n_dis"),
        ({"alpha": -1}, "config.alpha is -1"),
        ({"alpha": float("nan")}, "config.alpha"),
        ({"alpha": True}, "config.alpha"),
        ({"updates": 0}, "config.updates is 0"),
        ({"updates": 2.5}, "config.updates"),
        ({"beta1": 1.0}, "config.beta1 is 1.0"),
        ({"seed": -1}, "config.seed is -1"),
        ({"loss": "hing"}, "hinge"),
        ({"dequantization": "perhaps"}, "config.dequantization"),
        ({"regularizers": [{"name": "spectral-nrm"}]}, "spectral-norm"),
        ({"regularizers": [{"name": "gradient-penalty", "coeficient": 3}]}, "coefficient"),
        ({"regularizers": [{"name": "gradient-penalty", "coefficient": -3}]}, "coefficient is -3"),
        ({"regularizers": [{}]}, "name"),
        ({"regularizers": "othonormal"}, "orthonormal"),
        ({"regularizers": '[{"name": '}, "is not JSON"),
        ({"regularizers": [3]}, "not 3"),
        ({"regularizers": ["r1", "r1"]}, "each regularizer once"),
        ({"generator_latents": "reused", "update_order": "generator-first"}, "discriminator-first"),
    ],
)
def test_bad_values_are_named_with_the_allowed_ones(data: dict[str, object], expected: str) -> None:
    with pytest.raises(InputError, match="(?s)" + expected) as error:
        TrialConfig.from_dict(data)
    assert len(str(error.value).splitlines()) <= 2


def test_differences_name_each_field() -> None:
    config = TrialConfig(alpha=1e-3)
    lines = config.differences(TrialConfig(seed=4, alpha=1e-3).to_dict())
    assert lines == ["seed: 0 here, 4 there"]


def test_another_seed_is_the_same_config_otherwise() -> None:
    config = TrialConfig(alpha=1e-3, regularizers=(SpectralNorm(),), protocols=("fid/gen600-test600-digits",))
    assert config.digest  # kept with the config, and not handed on
    other = config.with_seed(7)
    assert other == config.replace(seed=7)
    assert other.digest == config.replace(seed=7).digest != config.digest
    assert other.with_seed(0) == config
    with pytest.raises(InputError, match=r"config\.seed is -1"):
        config.with_seed(-1)
