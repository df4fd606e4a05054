"""Every recommended protocol keeps the contract of a protocol, and so does any other name of the grammar."""

import re

import pytest
import torch
from torch import Tensor

from sngan.datasets import open_dataset
from sngan.errors import InputError
from sngan.metrics.catalog import METRICS
from sngan.metrics.digits_cnn import DigitsExtractor
from sngan.metrics.evaluator import Evaluator
from sngan.metrics.extractors import EXTRACTORS
from sngan.metrics.inception import InceptionExtractor
from sngan.metrics.protocols import PROTOCOLS, Protocol, parse, short_name
from sngan.results import RunOptions, Score

NAMES = list(PROTOCOLS)
DIGITS = [name for name in NAMES if PROTOCOLS[name].extractor == "digits"]


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_says_what_it_is_and_has_a_protocol_for_digits(name: str) -> None:
    metric = METRICS[name]
    assert metric.name == name
    assert metric.label
    assert metric.meaning.endswith(".")
    assert ("Lower is better" in metric.meaning) == metric.lower_is_better
    assert ("igher is better" in metric.meaning or "about 1 for real" in metric.meaning) != metric.lower_is_better
    assert any(protocol.metric == name and protocol.extractor == "digits" for protocol in PROTOCOLS.values())


@pytest.mark.parametrize("name", EXTRACTORS)
def test_an_extractor_has_the_features_that_its_entry_says(name: str) -> None:
    classes = {"inception": InceptionExtractor, "digits": DigitsExtractor}
    assert EXTRACTORS[name].dim == classes[name].dim


@pytest.mark.parametrize("name", NAMES)
def test_the_name_says_everything_but_the_hash(name: str) -> None:
    protocol = parse(name)
    assert protocol is PROTOCOLS[name]
    assert protocol.name == name
    rebuilt = Protocol(
        metric=protocol.metric,
        num_generated=protocol.num_generated,
        repeats=protocol.repeats,
        split=protocol.split,
        num_real=protocol.num_real,
        extractor=protocol.extractor,
    )
    assert rebuilt == protocol
    full = protocol.full_name("1a2b3c4d")
    assert re.fullmatch(re.escape(name) + "-[0-9a-f]{8}", full)
    assert short_name(full) == name
    assert short_name(name) == name  # of a table in which nothing was measured


@pytest.mark.parametrize("name", NAMES)
def test_a_protocol_has_counts_a_direction_an_extractor_and_a_user(name: str) -> None:
    protocol = PROTOCOLS[name]
    assert protocol.extractor in EXTRACTORS
    assert protocol.lower_is_better == METRICS[protocol.metric].lower_is_better
    assert protocol.num_images == protocol.num_generated * protocol.repeats
    assert (protocol.num_real > 0) == (protocol.split != "") == (protocol.metric != "is")
    assert protocol.usage.endswith(".")
    assert len(protocol.usage) > 30


def test_the_papers_protocols_are_recommended() -> None:
    fid, score = parse("fid/gen5000-test10000-inception"), parse("is/gen5000x10-inception")
    assert (fid.num_generated, fid.split, fid.num_real, fid.repeats) == (5000, "test", 10000, 1)
    assert (score.num_generated, score.repeats, score.num_images) == (5000, 10, 50000)
    assert "Miyato" in fid.usage
    assert "Miyato" in score.usage


def test_any_name_of_the_grammar_is_a_protocol() -> None:
    protocol = parse("kid/gen123-valid456-digits")
    assert protocol == Protocol(metric="kid", num_generated=123, split="valid", num_real=456, extractor="digits")
    assert protocol.usage == ""
    assert parse("is/gen50x3-digits").repeats == 3


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("fid/gen5000-test1000-inceptoin", "Did you mean 'inception'"),
        ("fid/gen5k-test10000-inception", "Did you mean 'fid/gen5000-test10000-inception'"),
        ("FID/gen600-test600-digits", "Did you mean 'fid/gen600-test600-digits'"),
        ("fid", "METRIC/genN-SPLITN-NETWORK"),
        ("presicion/gen600-test600-digits", "Did you mean 'precision/gen600-test600-digits'"),
        ("precision/gen5-test600-digits", "allowed: 6 to 10000000"),
        ("coverage/gen600-test5-digits", "number of real images in coverage/gen600-test5-digits is 5; allowed: 6"),
        ("recall/gen600x2-digits", "unknown protocol"),
        ("fid-infinity/gen312-test600-digits", "allowed: 313 to 10000000"),
        ("fid-infinity/gen5000-test10000-inception", "allowed: 10000 to 10000000"),
        ("intra-fid/gen600-digits", "Did you mean 'intra-fid/gen600-test600-digits'"),
        ("", "unknown protocol ''"),
        ("fid/gen0-test600-digits", "unknown protocol"),
        ("fid/gen0600-test600-digits", "unknown protocol"),
        ("fid/gen1-test600-digits", "allowed: 2 to 10000000"),
        ("kid/gen600-test1-digits", "number of real images in kid/gen600-test1-digits is 1"),
        ("fid/gen99999999-test600-digits", "allowed: 2 to 10000000"),
        ("is/gen5000000x10-digits", "is 50000000"),
        ("is/gen600-digits", "Did you mean 'is/gen600x1-digits'"),
        ("is/gen600-test600-digits", "unknown protocol"),
        ("fid/gen600-test600-digits-1a2b3c4d", "unknown protocol"),
    ],
)
def test_anything_else_is_refused_in_two_lines(name: str, says: str) -> None:
    with pytest.raises(InputError) as error:
        parse(name)
    assert says in str(error.value)
    assert len(str(error.value).splitlines()) <= 2


@pytest.mark.parametrize(
    ("name", "num_classes", "few"),
    [
        ("fid/gen64-test100-digits", 10, True),
        ("fid/gen100-test64-digits", 10, True),
        ("fid/gen65-test65-digits", 10, False),
        ("intra-fid/gen600-test600-digits", 10, True),
        ("intra-fid/gen650-test650-digits", 10, False),
        ("fid-infinity/gen400-test64-digits", 1, True),
        ("kid/gen10-test10-digits", 1, False),
        ("is/gen10x1-digits", 1, False),
    ],
)
def test_too_few_images_for_a_covariance_are_told(name: str, num_classes: int, few: bool) -> None:
    assert ("covariances of 64 features" in parse(name).caution(num_classes)) == few


@pytest.mark.parametrize("name", DIGITS)
def test_real_digits_score_better_than_noisy_ones(name: str, options: RunOptions) -> None:
    digits = open_dataset("digits", cache_dir=options.cache_dir)
    evaluator = Evaluator([name], digits, options)
    real = torch.tensor(digits.split("train").images)
    noise = 64 * torch.randn(real.shape, generator=torch.Generator().manual_seed(0))
    noisy = (real + noise).clamp(0, 255).to(torch.uint8)
    labels = torch.tensor(digits.split("train").labels)

    def score(images: Tensor) -> Score:
        (score,) = evaluator.evaluate(
            lambda n: iter(images[:n].split(100)), lambda label, n: iter(images[labels == label][:n].split(100))
        )
        return score

    good, bad = score(real), score(noisy)
    assert good.value is not None
    assert bad.value is not None
    assert (good.value < bad.value) == parse(name).lower_is_better
    assert good.floor is not None
    assert good.protocol == parse(name).full_name(evaluator.extractors["digits"][-8:])
