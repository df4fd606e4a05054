"""What papers and codes report, as data: every number with its protocol, its data set, its network and its source.

Only like is compared with like. A published number has one of our protocol names where a protocol of ours is how it was
measured, and a plain description always. `comparison` says whether it may stand beside a number of a study, or what
keeps the two apart. Nothing here was read off a figure: bar heights and curves are not known.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

SpreadOf = Literal["", "measurements", "training seeds", "not stated"]
REAL_IMAGES = "real images"
SPLIT_NOT_STATED = "5,000 generated against 10,000 real images, split not stated"
ALL_SETTINGS = ("A", "B", "C", "D", "E", "F")

_MIYATO = "Miyato et al. 2018, arXiv:1802.05957"
_TABLE_2 = f"{_MIYATO}, Table 2"
_PAPER_FID, _PAPER_IS = "fid/gen5000-test10000-inception", "is/gen5000x10-inception"
_MEASURED: Mapping[str, str] = {
    _PAPER_FID: "5,000 generated against the 10,000 test images",
    _PAPER_IS: "ten times 5,000 generated images, mean and spread of the ten",
    "fid/gen10000-test10000-inception": "10,000 generated against the 10,000 test images, mean of three samplings",
    "fid/gen50000-train50000-inception": "50,000 generated against the 50,000 training images",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedScore:
    """One number of a paper or of a code's documentation.

    method : name in `sngan.methods` where there is such a method, else in the source's words. metric : "fid" or "is".
    value, spread : the number and its ±, None without one; spread_of : what that ± is over, "not stated" where the
    source does not say. protocol : our short name, "" where none describes it; measured : how, in plain words.
    settings : of Table 1, the number is the best of them; () where the source used others, which `optimizer` then says.
    updates : generator updates, None where not stated or where its sources disagree. architecture : ours, or the
    source's words; "" for real images. apart : what else sets it apart from a study here, "" when nothing is known.
    """

    method: str
    metric: str
    value: float
    spread: float | None = None
    spread_of: SpreadOf = ""
    protocol: str = ""
    measured: str
    dataset: str
    architecture: str
    settings: tuple[str, ...] = ()
    optimizer: str = ""
    updates: int | None = None
    apart: str = ""
    source: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether a published number may stand beside one of a study; the reasons that keep them apart, "" if none."""

    comparable: bool
    reason: str


def published(
    dataset: str, architecture: str | None = None, protocol: str | None = None, method: str | None = None
) -> tuple[PublishedScore, ...]:
    """The numbers for a data set, and where given an architecture, a protocol (short name) and a method."""
    asked = {"dataset": dataset, "architecture": architecture, "protocol": protocol, "method": method}
    wanted = {name: value for name, value in asked.items() if value is not None}
    return tuple(score for score in PUBLISHED if all(getattr(score, name) == value for name, value in wanted.items()))


def comparison(
    score: PublishedScore,
    *,
    dataset: str,
    architecture: str,
    protocol: str,
    updates: int,
    settings: tuple[str, ...] | None = None,
) -> Comparison:
    """Whether `score` is like a study's number, by everything the source states.

    `settings` : those among which the study's number is the best; None for a number that belongs to no setting, such
    as that of real images.
    """
    reasons = [
        f"{what}: {theirs} there, {ours} here"
        for what, theirs, ours in (
            ("data set", score.dataset, dataset),
            ("network", score.architecture or architecture, architecture),
            ("protocol", score.protocol or score.measured, protocol),
        )
        if theirs != ours
    ]
    if settings is not None:
        reasons += _of_training(score, updates, settings)
    reasons += [score.apart] if score.apart else []
    return Comparison(not reasons, "; ".join(reasons))


def _of_training(score: PublishedScore, updates: int, settings: tuple[str, ...]) -> Iterator[str]:
    if score.updates is None:
        yield "length of training not stated there"
    elif score.updates != updates:
        yield f"updates: {score.updates:,} there, {updates:,} here"
    if not score.settings:
        yield f"optimizer: {score.optimizer or 'not stated'} there"
    elif set(score.settings) != set(settings):
        yield f"best of settings {', '.join(score.settings)} there, of {', '.join(settings)} here"


def table_2(metric: str, dataset: str = "cifar10") -> Mapping[str, float]:
    """Table 2 of the SN paper for the standard CNN at equal length: a method's value at its best of six settings."""
    return {
        score.method: score.value
        for score in published(dataset, "standard-cnn")
        if score.metric == metric and score.source == _TABLE_2 and score.updates == 100_000
    }


# What was looked for and is not among these numbers, by study or paper.
NOT_FOUND: Mapping[str, str] = {
    "arXiv:2009.02773": "The tables of IS and FID of Lin et al. 2021 (SN, SSN, BSN, BSSN) are not among our sources: "
    "their claims are judged by direction only.",
    "arXiv:1802.05957": "The bars of Fig. 1 and 2 of Miyato et al. 2018, one per setting, are printed without numbers: "
    "only the best of the six settings is known.",
}


# --- Miyato et al. 2018, Table 2 ---

# Standard CNN, best of settings A to F: method, then IS and its spread and FID on CIFAR-10, and the same on STL-10.
_STANDARD = (
    ("weight-clipping", 6.41, 0.11, 42.6, 7.57, 0.10, 64.2),
    ("gan-gp", 6.93, 0.08, 37.7, None, None, None),
    ("wgan-gp", 6.68, 0.06, 40.2, 8.42, 0.13, 55.1),
    ("batch-norm", 6.27, 0.10, 56.3, None, None, None),
    ("layer-norm", 7.19, 0.12, 33.9, 7.61, 0.12, 75.6),
    ("weight-norm", 6.84, 0.07, 34.7, 7.16, 0.10, 73.4),
    ("orthonormal", 7.40, 0.12, 29.0, 8.56, 0.07, 46.7),
    ("sn", 7.42, 0.08, 29.3, 8.28, 0.09, 53.1),
    ("sn-hinge", 7.58, 0.12, 25.5, None, None, None),
)
# Twice as many updates, STL-10 only.
_LONGER = (("orthonormal", 8.67, 0.08, 44.2), ("sn", 8.69, 0.09, 47.5), ("sn-hinge", 8.79, 0.14, 43.2))
# Method, data set, IS, FID, with spreads over training seeds.
_RESNETS = (
    ("orthonormal(loss=hinge)", "cifar10", 7.92, 0.04, 23.8, 0.58),
    ("orthonormal(loss=hinge)", "stl10", 8.72, 0.06, 42.4, 0.99),
    ("sn-hinge", "cifar10", 8.22, 0.05, 21.7, 0.21),
    ("sn-hinge", "stl10", 9.10, 0.04, 40.1, 0.50),
)
_RESNET_OPTIMIZER = "alpha 2e-4, betas 0 and 0.9, n_dis 5"
_ELSEWHERE = "as measured in the paper that is quoted, which is not stated"
# Numbers of other papers that the table quotes: method, network, data set, IS.
_QUOTED = (
    ("DCGAN", "DCGAN", "cifar10", 6.64, 0.14),
    ("DCGAN", "DCGAN", "stl10", 7.84, 0.07),
    ("LR-GAN", "LR-GAN", "cifar10", 7.17, 0.07),
    ("Warde-Farley and Bengio", "their own CNN", "cifar10", 7.72, 0.13),
    ("Warde-Farley and Bengio", "their own CNN", "stl10", 8.51, 0.13),
    ("wgan-gp", "resnet-32-wgan-gp", "cifar10", 7.86, 0.08),
)


def _measured(
    fid: float | None,
    inception: float | None,
    spread: float | None,
    fid_spread: float | None = None,
    *,
    spread_of: SpreadOf = "measurements",
    quoted: bool = False,
    **told: Any,
) -> Iterator[PublishedScore]:
    """A row of the SN paper: FID and Inception Score of one method by the paper's two protocols.

    spread_of : what a ± is over: ten measurements of one model by Appendix B.1; of Table 2's ResNets a footnote says
    training seeds. quoted : the Inception Score is that of another paper, by whatever protocol it has.
    """
    if fid is not None:
        # Stated for CIFAR-10; which images of STL-10 were taken is not.
        protocol = _PAPER_FID if told["dataset"] == "cifar10" else ""
        measured = _MEASURED.get(protocol, SPLIT_NOT_STATED)
        fid_over: SpreadOf = "" if fid_spread is None else spread_of
        yield PublishedScore(
            metric="fid", value=fid, spread=fid_spread, spread_of=fid_over, protocol=protocol, measured=measured, **told
        )
    if inception is not None:
        protocol, measured = ("", _ELSEWHERE) if quoted else (_PAPER_IS, _MEASURED[_PAPER_IS])
        yield PublishedScore(
            metric="is", value=inception, spread=spread, spread_of=spread_of, protocol=protocol, measured=measured,
            **told,
        )  # fmt: skip


def _table_2() -> Iterator[PublishedScore]:
    for dataset, score, spread, fid in (("cifar10", 11.24, 0.12, 7.8), ("stl10", 26.08, 0.26, 7.9)):
        yield from _measured(fid, score, spread, method=REAL_IMAGES, dataset=dataset, architecture="", source=_TABLE_2)
    cnn: dict[str, Any] = {"architecture": "standard-cnn", "settings": ALL_SETTINGS, "source": _TABLE_2}
    for method, score, spread, fid, stl_score, stl_spread, stl_fid in _STANDARD:
        row = {**cnn, "method": method, "updates": 100_000}
        yield from _measured(fid, score, spread, dataset="cifar10", **row)
        yield from _measured(stl_fid, stl_score, stl_spread, dataset="stl10", **row)
    for method, score, spread, fid in _LONGER:
        yield from _measured(fid, score, spread, method=method, dataset="stl10", updates=200_000, **cnn)
    for method, dataset, score, spread, fid, fid_spread in _RESNETS:
        network = "resnet-32" if dataset == "cifar10" else "resnet-48"
        yield from _measured(
            fid, score, spread, fid_spread, method=method, dataset=dataset, architecture=network, source=_TABLE_2,
            optimizer=_RESNET_OPTIMIZER, apart="decaying rates in the released code", spread_of="training seeds",
        )  # fmt: skip
    for method, network, dataset, score, spread in _QUOTED:
        yield from _measured(
            None, score, spread, method=method, dataset=dataset, architecture=network, source=_TABLE_2,
            apart="quoted there from others", spread_of="not stated", quoted=True,
        )  # fmt: skip


# --- Miyato et al. 2018, Appendix E ---

_GULRAJANI = "as published by Gulrajani et al. 2017"
# Table 7, CIFAR-10 without labels: method, network, IS, FID. The Frobenius norm collapsed early and has no number.
_TABLE_7 = (
    ("wgan-gp", "standard-cnn", 6.68, 0.06, 40.1, ""),
    ("wgan-gp-weight-norm", "standard-cnn", 6.36, 0.04, 42.4, ""),
    ("wgan-gp-sn", "standard-cnn", 7.20, 0.08, 32.0, ""),
    ("wgan-gp", "resnet-32-wgan-gp", 7.86, 0.08, None, _GULRAJANI),
    ("wgan-gp", "resnet-32-wgan-gp", 7.80, 0.11, 24.5, "run again with their code"),
    ("wgan-gp-sn", "resnet-32-wgan-gp", 7.85, 0.06, 23.6, ""),
    ("wgan-gp-sn", "resnet-32-wgan-gp", 7.96, 0.06, 22.5, "discriminator 1.5 times as wide"),
)
# Table 8, CIFAR-10 with labels, AC-WGAN-GP.
_TABLE_8 = (
    ("wgan-gp", 8.42, 0.10, None, _GULRAJANI),
    ("wgan-gp", 8.29, 0.12, 19.5, "run again with their code"),
    ("wgan-gp-sn", 8.59, 0.12, 18.6, ""),
    ("wgan-gp-sn", 8.60, 0.08, 17.5, "discriminator 1.5 times as wide"),
)


def _appendix_e() -> Iterator[PublishedScore]:
    # The paper's length for whatever it does not say otherwise of; its optimizer is not stated.
    told: dict[str, Any] = {"dataset": "cifar10", "updates": 100_000}
    # The footnote on training seeds belongs to Table 2; of these ResNets nothing says what the ± is over.
    for method, network, score, spread, fid, apart in _TABLE_7:
        yield from _measured(
            fid, score, spread, method=method, **told, architecture=network, apart=apart,
            spread_of="measurements" if network == "standard-cnn" else "not stated", quoted=apart == _GULRAJANI,
            source=f"{_MIYATO}, Table 7",
        )  # fmt: skip
    for method, score, spread, fid, words in _TABLE_8:
        yield from _measured(
            fid, score, spread, method=method, **told, architecture="resnet-32-wgan-gp", spread_of="not stated",
            quoted=words == _GULRAJANI,
            apart="; ".join(filter(None, ("class labels used", words))), source=f"{_MIYATO}, Table 8",
        )  # fmt: skip


# --- Others on CIFAR-10: what the same names read elsewhere ---

_KURACH = "Kurach et al. 2019, arXiv:1807.04720, best models of its code"
_CHAINER_GAN_LIB = "chainer-gan-lib's README, github.com/pfnet-research/chainer-gan-lib"
_MIMICRY = "mimicry's README, github.com/kwotsin/mimicry"
_COLLECTIONS = "pytorch-gan-collections' README, github.com/w86763777/pytorch-gan-collections"
_GONG = "sngan.pytorch's README, github.com/GongXinyuu/sngan.pytorch"
_STUDIO = "StudioGAN's README, github.com/POSTECH-CVLab/PyTorch-StudioGAN"
_50K, _10K = "fid/gen50000-train50000-inception", "fid/gen10000-test10000-inception"
_TRAIN, _PORT = "against the 50,000 training images", "10,000 generated against the 50,000 training images"
# Which images is not said of this number itself; its code takes those of the training split unless told otherwise.
_MIMICRY_5K = "5,000 generated against 10,000 real images, by the README's list of data training images"
_CNN, _RESNET = "standard-cnn-wide", "resnet-32"
_DECAYING, _FLAT = f"{_RESNET_OPTIMIZER}, decaying", "alpha 2e-4, betas 0 and 0.9, n_dis 1, decaying"
_CHAINER = "leaky slope 0.2; uniform latents; a port of the Inception network that reads higher scores"
_STUDIO_ADAM = "alpha 2e-4, betas 0.5 and 0.999, n_dis 5"
# Kurach et al. count D updates, 200,000 here: how many of G's these are is known where n_dis is.
# Source, method, network, FID, its protocol or a description, IS, updates, optimizer, what sets it apart.
_OTHERS = (
    (_KURACH, "none", _CNN, 28.66, _10K, None, 200_000, "alpha 1e-4, betas 0.5, 0.999, n_dis 1", "uniform latents"),
    (_KURACH, "sn", _CNN, 25.27, _10K, None, None, "alpha 2e-4", "uniform latents"),
    (_KURACH, "sn-gp", _CNN, 26.00, _10K, None, None, "", "uniform latents"),
    (_KURACH, "none", _RESNET, 28.12, _10K, None, 40_000, "alpha 2e-4, n_dis 5", "uniform latents"),
    (_KURACH, "sn", _RESNET, 22.91, _10K, None, 40_000, "n_dis 5", "uniform latents"),
    (_KURACH, "sn-gp", _RESNET, 22.73, _10K, None, 40_000, "n_dis 5", "uniform latents; penalty's coefficient 1"),
    (_CHAINER_GAN_LIB, "sn", _CNN, 23.6, _PORT, 7.5, 100_000, "setting C", _CHAINER),
    (_CHAINER_GAN_LIB, "wgan-gp", _CNN, 28.2, _PORT, 6.8, 100_000, _RESNET_OPTIMIZER, _CHAINER),
    (_MIMICRY, "sn-hinge", _RESNET, 16.77, _50K, 7.97, 100_000, _DECAYING, "bilinear up-sampling"),
    (_MIMICRY, "sn-hinge", _RESNET, 23.90, _MIMICRY_5K, None, 100_000, _DECAYING, "bilinear up-sampling"),
    (_MIMICRY, "wgan-gp", _RESNET, 22.29, _50K, 7.33, 100_000, _DECAYING, "bilinear up-sampling"),
    (_COLLECTIONS, "sn-hinge", _CNN, 17.81, _50K, 7.84, 100_000, _FLAT, "batches of 128; z of 100"),
    (_COLLECTIONS, "wgan-gp", _CNN, 19.83, _50K, 7.66, 100_000, _FLAT, "batches of 128; z of 100; flips"),
    (_COLLECTIONS, "sn-hinge", _RESNET, 14.32, _50K, 8.31, None, _DECAYING, ""),
    (_COLLECTIONS, "wgan-gp", _RESNET, 16.95, _50K, 7.95, None, _DECAYING, "flips"),
    (_GONG, "sn-hinge", _RESNET, 14.21, _TRAIN, 8.21, 50_000, _DECAYING, "the generator's weights averaged"),
    (_STUDIO, "sn-hinge", _RESNET, 9.01, _TRAIN, 8.83, 100_000, _STUDIO_ADAM, "class labels used; flips"),
    (_STUDIO, "wgan-gp", _RESNET, 53.98, _TRAIN, 5.22, 100_000, _STUDIO_ADAM, "batch norm in D; flips"),
)


def _others() -> Iterator[PublishedScore]:
    for source, method, network, fid, how, score, updates, optimizer, apart in _OTHERS:
        told: dict[str, Any] = {
            "method": method, "dataset": "cifar10", "architecture": network, "updates": updates, "source": source,
            "optimizer": optimizer, "apart": apart,
        }  # fmt: skip
        protocol = how if how in _MEASURED else ""
        measured = _MEASURED.get(how, how)
        yield PublishedScore(metric="fid", value=fid, protocol=protocol, measured=measured, **told)
        if score is not None:
            measured = "as this code measures it, number of images not stated"
            yield PublishedScore(metric="is", value=score, measured=measured, **told)


PUBLISHED: tuple[PublishedScore, ...] = (*_table_2(), *_appendix_e(), *_others())
