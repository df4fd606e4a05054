"""Rules: what each of them finds, excludes and refuses."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sngan.errors import InputError
from sngan.seeding import numpy_stream
from sweeps.claims import Verdict
from sweeps.rules.larger_region import working_share
from sweeps.rules.trend import Trend, fitted_change
from sweeps.study import Claim
from sweeps.transforms import worsened
from tests.sweeps.claim_samples import BEST, CLAIMS, METHODS, RANKED, better, verdict, world
from tests.sweeps.score_samples import BASE, equal_methods, table_of


def test_effects_equal_their_definitions() -> None:
    fid = world(5)["fid"]
    sn, hinge = fid.pick("sn"), fid.pick("sn-hinge")
    assert verdict("hinge-improves-sn", {"fid": fid}).effect == pytest.approx((hinge.max(0) - sn.max(0)).mean())
    claim = Claim(
        name="x", source="", sentence="", rule="robustness",
        contrast={"method": "sn", "better_worst_setting_than": ("wgan-gp",)},
    )  # fmt: skip
    other = fid.pick("wgan-gp")
    assert verdict(claim, {"fid": fid}).effect == pytest.approx((sn.min(0) - other.min(0)).mean())
    claim = replace(claim, contrast={"method": "sn", "smaller_spread_than": ("wgan-gp",)})
    assert verdict(claim, {"fid": fid}).effect == pytest.approx((np.ptp(other, axis=0) - np.ptp(sn, axis=0)).mean())
    raw = fid.pick_ordered("wgan-gp")
    usual = worsened(fid.pick("wgan-gp", "ABC").mean(0), 2.0)
    fails = replace(claim, rule="fails-at", contrast={"method": "wgan-gp", "at": ("F",), "unlike": ("A", "B", "C")})
    assert verdict(fails, {"fid": fid}).effect == pytest.approx((usual - fid.transform(raw[5])).mean())


def test_a_spread_is_told_in_scores_which_are_compared_beside_the_metric_which_has_another_scale() -> None:
    fid = world(5)["fid"]
    claim = Claim(
        name="x", source="", sentence="", rule="robustness",
        contrast={"method": "sn", "smaller_spread_than": ("wgan-gp",)},
    )  # fmt: skip
    told = verdict(claim, {"fid": fid}).explanation
    for name, words in (("sn", "SN"), ("wgan-gp", "WGAN-GP")):
        typical = np.median(np.ptp(fid.pick(name), axis=0))
        assert f"{words} spreads by {typical:.2g} in score (FID " in told


def test_a_best_setting_of_few_names_them() -> None:
    fid = world(5)["fid"]
    claim = Claim(name="x", source="", sentence="", rule="better-best",
                  contrast={"method": "sn", "others": ("wgan-gp",), "settings": ("A", "B")})  # fmt: skip
    assert "in the best setting of A, B" in verdict(claim, {"fid": fid}).explanation
    assert "in the best setting of" not in verdict("hinge-improves-sn", {"fid": fid}).explanation


def test_rank_correlation_is_one_for_the_published_order_and_ignores_its_ties() -> None:
    found = verdict("table-2-order-fid", world(5, noise=1e-4))
    assert found.effect == pytest.approx(1.0)
    swapped = BEST | {"sn": BEST["orthonormal"], "orthonormal": BEST["sn"]}
    fids = np.array([swapped[name][0] for name in METHODS])[:, None, None] * np.ones((1, 6, 5))
    assert verdict("table-2-order-fid", {"fid": table_of(fids, METHODS)}).effect == pytest.approx(1.0)
    reverse = verdict("table-2-order-fid", {"fid": table_of(80 - fids, METHODS)})
    assert reverse.effect == pytest.approx(-1.0)
    assert reverse.verdict == "contradicted"


def test_an_unrelated_order_is_neither_supported_nor_contradicted() -> None:
    found = verdict(
        "table-2-order-fid", {"fid": table_of(equal_methods(METHODS, 5, numpy_stream(5, "bootstrap")), METHODS)}
    )
    assert found.verdict == "undecided"
    assert abs(found.effect or 0.0) < 0.3


def test_equivalence_is_within_the_margin_beyond_it_or_open() -> None:
    claim = CLAIMS["sn-matches-orthonormal-at-best"]
    stream = numpy_stream(8, "bootstrap")
    verdicts = {}
    for ratio, noise in ((1.0, 0.02), (1.1, 0.02), (1.25, 0.02), (1.5, 0.02), (1.0, 0.5)):
        values = equal_methods(("sn", "orthonormal"), 8, stream, noise=noise)
        values[0] *= ratio
        verdicts[ratio, noise] = verdict(claim, {"fid": table_of(values, ("sn", "orthonormal"))}).verdict
    assert verdicts == {
        (1.0, 0.02): "supported", (1.1, 0.02): "supported", (1.25, 0.02): "undecided",
        (1.5, 0.02): "contradicted", (1.0, 0.5): "undecided",
    }  # fmt: skip


def test_equivalence_at_the_margin_itself_is_rarely_taken_for_either() -> None:
    claim = CLAIMS["sn-matches-orthonormal-at-best"]
    stream = numpy_stream(9, "bootstrap")
    found = []
    for _ in range(400):
        values = equal_methods(("sn", "orthonormal"), 5, stream, noise=0.02)
        values[0] *= 1.25
        found.append(verdict(claim, {"fid": table_of(values, ("sn", "orthonormal"))}).verdict)
    assert found.count("supported") <= 0.045 * 400
    assert found.count("contradicted") <= 0.045 * 400


def test_equivalence_needs_both_sides_unless_told_otherwise() -> None:
    fid = world(5)["fid"]
    values = fid.values.copy()
    values[METHODS.index("sn")] *= 0.5
    much_better = {"fid": table_of(values, METHODS)}
    assert verdict("sn-matches-orthonormal-at-best", much_better).verdict == "contradicted"
    one_side = {**CLAIMS["sn-matches-orthonormal-at-best"].contrast, "both_sides": False}
    claim = Claim(name="x", source="", sentence="", rule="within", contrast=one_side)
    assert verdict(claim, much_better).verdict == "supported"


@pytest.mark.parametrize(
    ("rule", "contrast", "message"),
    [
        ("rank-ordr", {}, "unknown rule 'rank-ordr'. Did you mean 'rank-order'"),
        ("better-best", {"method": "sn", "other": ("none",)}, "claim x: unknown contrast key 'other'. .* 'others'"),
        ("better-best", {"method": "sn"}, "missing 1 required .*others"),
        ("within", {"method": "sn", "reference": "none", "ratio": 0.9}, "ratio of rule within is 0.9; allowed: abov"),
        ("fails-at", {"method": "sn", "at": ("D",), "unlike": ()}, "settings of rule fails-at"),
        ("rank-order", {"ranked": RANKED[:2], "published": (1, 2), "published_protocol": "x"}, "at least 3, not 2"),
        ("rank-order", {"ranked": RANKED, "published": (1, 2), "published_protocol": "x"}, "one number per method"),
        ("rank-order", {"ranked": RANKED, "published": (1, 1, 1), "published_protocol": "x"}, "at least two differ"),
        ("rank-order", {"ranked": RANKED, "published": (1, 2, 3), "published_protocol": ""}, "published_measured is"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_input_errors(rule: str, contrast: dict[str, Any], message: str) -> None:
    claim = Claim(name="x", source="", sentence="", rule=rule, contrast=contrast)
    values = np.ones((3, 6, 3))
    with pytest.raises(InputError, match=message):
        verdict(claim, {"fid": table_of(values, RANKED)})


# --- Rules of other studies than the robustness study ---

ALONG = tuple(f"D(n_dis={number})" for number in (1, 2, 5, 10, 20))


def along(falling: float, holding: float, num_seeds: int = 5) -> Verdict:
    """The verdict on FIDs that get so many times worse from n_dis 1 to 20."""
    noise = np.exp(0.03 * numpy_stream(0, "bootstrap", num_seeds).standard_normal((2, 5, num_seeds)))
    x = np.log([1, 2, 5, 10, 20]) / np.log(20)
    values = 40 * np.stack([falling**x, holding**x])[..., None] * noise
    claim = Claim(name="trend", source="", sentence="", rule="trend",
                  contrast={"settings": ALONG, "falling": ("weight-norm",), "holding": ("sn",)})  # fmt: skip
    return verdict(claim, {"fid": table_of(values, ("weight-norm", "sn"), settings=ALONG)})


@pytest.mark.parametrize(
    ("falling", "holding", "expected"),
    [
        (3.0, 1.0, "supported"), (3.0, 0.5, "supported"), (1 / 3, 1.0, "contradicted"), (3.0, 3.0, "contradicted"),
        (1.0, 1.0, "undecided"),
    ],
)  # fmt: skip
def test_a_trend_is_found_where_it_is_and_excluded_where_it_is_not(
    falling: float, holding: float, expected: str
) -> None:
    assert along(falling, holding).verdict == expected
    assert along(falling, holding, num_seeds=2).verdict == "undecided"


def test_a_trend_reads_the_ends_and_needs_one_number() -> None:
    assert "n_dis 1, " in along(3.0, 1.0).explanation
    assert "at n_dis 20" in along(3.0, 1.0).explanation
    for settings in (("A", "B"), ("D(n_dis=1)",), ("D(n_dis=1)", "D(alpha=0.1)"), ("D(n_dis=1)", "E(n_dis=2)")):
        with pytest.raises(InputError, match="one setting varied in one number"):
            Trend(falling=("none",), holding=(), settings=settings)


def test_an_interval_contains_a_fall_of_more_than_the_scores_range() -> None:
    values = 1 + 0.1 * numpy_stream(0, "bootstrap").random((1, 5, 5))
    broken = np.zeros(values.shape, dtype=bool)
    broken[:, 2:] = True
    claim = Claim(name="trend", source="", sentence="", rule="trend",
                  contrast={"settings": ALONG, "falling": ("none",), "holding": ()})  # fmt: skip
    found = verdict(claim, {"fid": table_of(values, ("none",), settings=ALONG, diverged=broken)})
    assert found.effect is not None
    assert found.low is not None
    assert found.high is not None
    assert 1.1 < found.low <= found.effect <= found.high


def test_fitted_change_is_that_of_a_line_in_the_logarithm() -> None:
    numbers = np.array([1.0, 10.0, 100.0])
    scores = np.array([[0.0, 1.0, 0.2], [0.5, 1.0, np.nan], [1.0, 1.0, 0.4]])
    assert fitted_change(scores, numbers) == pytest.approx([1.0, 0.0, np.nan], nan_ok=True)


def test_a_collapse_is_far_worse_and_a_little_worse_is_none() -> None:
    claim = Claim(name="collapse", source="", sentence="", rule="worse-by",
                  contrast={"method": "none", "reference": "sn", "ratio": 2.0})  # fmt: skip
    noise = np.exp(0.05 * numpy_stream(0, "bootstrap").standard_normal((2, 6, 5)))
    for factor, expected in ((4.0, "supported"), (1.2, "contradicted")):
        values = BASE[None, :, None] * np.array([factor, 1.0])[:, None, None] * noise
        assert verdict(claim, {"fid": table_of(values, ("none", "sn"))}).verdict == expected
        assert verdict(claim, {"fid": table_of(values[..., :2], ("none", "sn"))}).verdict == "undecided"
    gone = np.zeros((2, 6, 5), dtype=bool)
    gone[0] = True
    diverged = table_of(BASE[None, :, None] * noise, ("none", "sn"), diverged=gone)
    assert verdict(claim, {"fid": diverged}).verdict == "supported"


def test_a_region_is_the_share_of_the_settings_that_work() -> None:
    scores = np.array([[0.9, 0.4], [0.6, np.nan], [0.5, 0.7], [0.0, 0.7]])
    assert working_share(scores, 0.5) == pytest.approx([0.5, np.nan], nan_ok=True)
    claim = Claim(name="region", source="", sentence="", rule="larger-region",
                  contrast={"method": "sn", "others": ("none",)})  # fmt: skip
    stream = numpy_stream(0, "bootstrap")
    # At a floor of 7.8 a score of 1/2 is an FID of 78: SN works at all six settings, the other at two or three.
    values = np.stack([np.full((6, 5), 40.0), np.where(stream.random((6, 5)) < 0.4, 50.0, 200.0)])
    found = verdict(claim, {"fid": table_of(values, ("sn", "none"))})
    assert found.verdict == "supported"
    assert "SN works at 100 % of the settings" in found.explanation
    assert verdict(claim, {"fid": table_of(values[::-1], ("sn", "none"))}).verdict == "contradicted"


def test_settings_can_be_chosen() -> None:
    values = equal_methods(("sn", "none"), 5, numpy_stream(6, "bootstrap"), noise=0.02)
    values[0, 0] /= 3
    table = {"fid": table_of(values, ("sn", "none"))}
    assert verdict(better("sn", "none"), table).verdict == "supported"
    assert verdict(better("sn", "none", settings=("D", "E")), table).verdict == "undecided"
