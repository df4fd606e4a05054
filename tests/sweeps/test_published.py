"""Published numbers: complete where the tables are, sourced, of methods that exist, never beside what is unlike."""

import dataclasses

import pytest

from sngan.methods import METHODS, SETTINGS
from sngan.metrics.protocols import parse
from sweeps.published import ALL_SETTINGS, NOT_FOUND, PUBLISHED, REAL_IMAGES, comparison, published, table_2
from sweeps.studies.robustness_claims import ROBUSTNESS_CLAIMS

FID, INCEPTION = "fid/gen5000-test10000-inception", "is/gen5000x10-inception"


def study(**changes: object) -> dict[str, object]:
    """A study's own number, as `comparison` wants to know it."""
    own = {"dataset": "cifar10", "architecture": "standard-cnn", "protocol": FID, "updates": 100_000}
    return {**own, "settings": ALL_SETTINGS, **changes}


@pytest.mark.parametrize("score", PUBLISHED, ids=lambda score: f"{score.source}:{score.method}:{score.metric}")
def test_every_number_says_what_it_is(score: object) -> None:
    assert dataclasses.is_dataclass(score)
    assert score.metric in ("fid", "is")
    assert 1 < score.value < 200
    assert score.measured
    assert score.source
    assert (score.spread is None) == (score.spread_of == "")
    assert set(score.settings) <= set(SETTINGS)
    if score.protocol:
        assert parse(score.protocol).metric == score.metric
        assert parse(score.protocol).name == score.protocol


def test_methods_that_studies_know_have_their_names() -> None:
    named = {score.method for score in PUBLISHED if score.method in METHODS}
    others = {score.method for score in PUBLISHED} - named
    assert others == {REAL_IMAGES, "DCGAN", "LR-GAN", "Warde-Farley and Bengio"}


@pytest.mark.parametrize(
    ("dataset", "metric", "count"),
    [("cifar10", "fid", 9), ("cifar10", "is", 9), ("stl10", "fid", 6), ("stl10", "is", 6)],
)
def test_table_2_has_a_number_for_every_method_of_its_figures(dataset: str, metric: str, count: int) -> None:
    assert len(table_2(metric, dataset)) == count


def test_table_2_tells_what_the_paper_says_of_it() -> None:
    """SN and orthonormal are close on CIFAR-10; on STL-10 orthonormal leads, and needs no more updates for it."""
    fid, stl = table_2("fid"), table_2("fid", "stl10")
    assert min(fid, key=lambda name: fid[name]) == "sn-hinge"
    assert abs(fid["sn"] - fid["orthonormal"]) < 0.5
    assert min(stl, key=lambda name: stl[name]) == "orthonormal"
    assert stl["sn"] == 53.1, "not that of the run that was twice as long"
    scores = table_2("is")
    assert max(scores, key=lambda name: scores[name]) == "sn-hinge"


def test_claims_rank_by_these_numbers() -> None:
    contrasts = [claim.contrast for claim in ROBUSTNESS_CLAIMS if claim.rule == "rank-order"]
    assert {contrast["metric"] for contrast in contrasts} == {"fid", "is"}
    assert {contrast["datasets"] for contrast in contrasts} == {("cifar10",), ("stl10",)}
    for contrast in contrasts:
        metric, (dataset,) = contrast["metric"], contrast["datasets"]
        assert dict(zip(contrast["ranked"], contrast["published"], strict=True)) == table_2(metric, dataset)
        protocols = {
            score.protocol
            for score in published(dataset, "standard-cnn")
            if score.source.endswith("Table 2") and score.metric == metric
        }
        assert protocols == {contrast["published_protocol"]}


def test_claims_about_best_cases_say_what_the_table_says() -> None:
    """On STL-10 the paper has orthonormal regularization before SN: no claim of its may say otherwise."""
    claims = [claim for claim in ROBUSTNESS_CLAIMS if claim.rule == "better-best"]
    assert {claim.contrast["datasets"] for claim in claims} == {("cifar10",), ("stl10",)}
    for claim in claims:
        table = table_2("fid", *claim.contrast["datasets"])
        assert all(table[claim.contrast["method"]] < table[other] for other in claim.contrast["others"]), claim.name


def test_queries_narrow_down() -> None:
    everything = published("cifar10")
    assert len(everything) > len(published("cifar10", "standard-cnn")) > len(published("cifar10", "standard-cnn", FID))
    (found,) = (s for s in published("cifar10", "standard-cnn", FID, "sn") if s.settings)
    assert (found.value, found.updates) == (29.3, 100_000)
    assert published("digits") == ()


def test_the_papers_own_study_is_comparable() -> None:
    (found,) = published("cifar10", "standard-cnn", FID, "sn")
    same = comparison(found, **study())  # type: ignore[arg-type]
    assert (same.comparable, same.reason) == (True, "")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"dataset": "digits"}, "data set: cifar10 there, digits here"),
        ({"architecture": "resnet-32"}, "network: standard-cnn there, resnet-32 here"),
        ({"protocol": "fid/gen50000-train50000-inception"}, f"protocol: {FID} there, fid/gen50000"),
        ({"updates": 20_000}, "updates: 100,000 there, 20,000 here"),
        ({"settings": ("A", "D")}, "best of settings A, B, C, D, E, F there, of A, D here"),
    ],
)
def test_what_is_unlike_is_told(changes: dict[str, object], reason: str) -> None:
    (found,) = published("cifar10", "standard-cnn", FID, "sn")
    told = comparison(found, **study(**changes))  # type: ignore[arg-type]
    assert not told.comparable
    assert told.reason.startswith(reason)


def test_the_same_recipe_under_two_protocols_is_never_comparable_to_one() -> None:
    """mimicry's SN ResNet reads 16.77 or 23.90, and neither is measured as the paper does."""
    found = [s for s in published("cifar10", "resnet-32", method="sn-hinge") if "mimicry" in s.source]
    assert {score.value for score in found if score.metric == "fid"} == {16.77, 23.90}
    reasons = [comparison(s, **study(architecture="resnet-32")).reason for s in found]  # type: ignore[arg-type]
    assert all(reason.startswith("protocol: ") for reason in reasons)
    assert next(score for score in found if score.value == 23.90).protocol == "", "test images are not stated"


def test_a_spread_is_of_what_the_source_says() -> None:
    """Appendix B.1 says it of the standard CNN, a footnote of Table 2's own ResNets; nothing says it of the others."""
    found = {
        (score.source.rpartition(", ")[2], score.architecture): score.spread_of
        for score in PUBLISHED
        if "1802.05957" in score.source and score.spread is not None
    }
    assert found == {
        ("Table 2", ""): "measurements",
        ("Table 2", "standard-cnn"): "measurements",
        ("Table 2", "resnet-32"): "training seeds",
        ("Table 2", "resnet-48"): "training seeds",
        ("Table 2", "DCGAN"): "not stated",
        ("Table 2", "LR-GAN"): "not stated",
        ("Table 2", "their own CNN"): "not stated",
        ("Table 2", "resnet-32-wgan-gp"): "not stated",
        ("Table 7", "standard-cnn"): "measurements",
        ("Table 7", "resnet-32-wgan-gp"): "not stated",
        ("Table 8", "resnet-32-wgan-gp"): "not stated",
    }


def test_quoted_scores_have_no_protocol_of_the_paper_that_quotes_them() -> None:
    quoted = [score for score in PUBLISHED if "quoted" in score.apart or "Gulrajani" in score.apart]
    assert len(quoted) == 6 + 2
    assert {score.protocol for score in quoted} == {""}
    assert {score.protocol for score in PUBLISHED if "Table 2" in score.source and score.settings} >= {FID, INCEPTION}


def test_lengths_that_depend_on_what_is_not_stated_are_not_stated() -> None:
    """Kurach et al. count 200,000 updates of D: without n_dis nobody knows how many of G's that is."""
    kurach = [score for score in PUBLISHED if "1807.04720" in score.source]
    assert {score.updates for score in kurach if "n_dis 1" in score.optimizer} == {200_000}
    assert {score.updates for score in kurach if "n_dis 5" in score.optimizer} == {40_000}
    assert {score.updates for score in kurach if "n_dis" not in score.optimizer} == {None}
    (penalized,) = (score for score in kurach if score.value == 26.00)
    assert penalized.optimizer == "", "its learning rate is not known"


@pytest.mark.parametrize("code", ["mimicry", "StudioGAN", "pytorch-gan-collections", "sngan.pytorch"])
def test_codes_that_train_sn_with_the_hinge_loss_are_not_told_as_sn(code: str) -> None:
    methods = {score.method for score in PUBLISHED if score.source.startswith(code)}
    assert "sn-hinge" in methods
    assert "sn" not in methods


def test_real_images_have_no_training_to_compare() -> None:
    (found,) = published("cifar10", protocol=FID, method=REAL_IMAGES)
    assert found.value == 7.8
    assert comparison(found, **study(settings=None, updates=5)).comparable  # type: ignore[arg-type]


def test_what_was_not_found_is_said_and_not_filled_in() -> None:
    assert "arXiv:2009.02773" in NOT_FOUND
    assert not [score for score in PUBLISHED if "2009.02773" in score.source or score.method in ("ssn", "bsn", "bssn")]
