"""The shipped digits classifier: its accuracy, its hash, what it refuses, and that its script makes such weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from sngan.datasets import Dataset, open_dataset
from sngan.errors import InputError
from sngan.metrics.digits_cnn import WEIGHTS_FILE, DigitsExtractor
from sngan.metrics.extractors import EXTRACTORS, load_extractor
from sngan.metrics.train_digits_classifier import accuracy, main, save, train
from sngan.results import RunOptions


@pytest.fixture
def digits(cache_dir: Path) -> Dataset:
    return open_dataset("digits", cache_dir=cache_dir)


def test_the_shipped_weights_are_small_and_classify_held_out_digits(digits: Dataset) -> None:
    assert WEIGHTS_FILE.stat().st_size <= 200_000
    assert accuracy(WEIGHTS_FILE, digits) >= 0.97


def test_the_shipped_weights_are_those_of_every_stored_number() -> None:
    """Other weights make every earlier result with digits incomparable: change this line knowingly."""
    assert DigitsExtractor().identity == "digits-af7b7303"


def test_features_do_not_depend_on_the_batch(digits: Dataset) -> None:
    extractor, images = DigitsExtractor(), torch.tensor(digits.split("test").images)
    features, logits = extractor.features(images)
    assert features.shape == (600, extractor.dim)
    assert features.dtype == torch.float32
    assert logits is not None
    assert logits.shape == (600, 10)
    parts = torch.cat([extractor.features(part)[0] for part in images.tensor_split(7)])
    torch.testing.assert_close(parts, features, rtol=1e-5, atol=1e-5)
    assert not features.requires_grad


def test_loading_leaves_the_global_random_stream_alone() -> None:
    before = torch.get_rng_state()
    DigitsExtractor()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (2, 1, 16, 16), (2, 1, 8, 9)])
def test_other_images_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="grey images of 8 x 8 pixels"):
        DigitsExtractor().features(torch.zeros(shape, dtype=torch.uint8))


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    cut, foreign = tmp_path / "cut.npz", tmp_path / "foreign.npz"
    cut.write_bytes(WEIGHTS_FILE.read_bytes()[:1000])
    np.savez(foreign, weight=np.zeros(3))
    for path in (cut, foreign, tmp_path / "missing.npz"):
        with pytest.raises(InputError, match=r"weights.*npz|npz.*weights"):
            DigitsExtractor(weights_file=path)


def test_training_is_deterministic_and_learns(digits: Dataset, tmp_path: Path) -> None:
    files = [tmp_path / "a.npz", tmp_path / "b.npz"]
    for file in files:
        save(train(digits.split("train"), updates=150), file)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert accuracy(files[0], digits) > 0.9


def test_the_script_writes_a_file_and_says_how_good_it_is(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["--out", str(tmp_path / "new.npz"), "--updates", "5"])
    assert result.exit_code == 0, result.output
    assert "held-out accuracy 0." in result.output
    assert DigitsExtractor(weights_file=tmp_path / "new.npz").identity in result.output


def test_an_extractor_is_loaded_once_per_process(options: RunOptions) -> None:
    assert load_extractor("digits", options) is load_extractor("digits", options)
    assert set(EXTRACTORS) == {"inception", "digits"}
    with pytest.raises(InputError, match="Did you mean 'digits'"):
        load_extractor("digit", options)
