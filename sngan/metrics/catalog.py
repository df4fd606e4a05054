"""The catalog of metrics: what each one measures, which way is better, what it needs to see.

A metric alone is no number's name: protocols.py adds how many images and which network. The computation of every
entry is in measuring.py; a test holds that there is one for each.
"""

from dataclasses import dataclass
from typing import Literal

from sngan.registry import Registry

Keeps = Literal["statistics", "features", "logits", "class-statistics"]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A line of the catalog.

    name : lower case, begins every protocol's name. label : how figures and tables write it. meaning : for readers of
    a report. lower_is_better : True for distances. keeps : what is kept of the images that are looked at;
    "class-statistics" asks for images of a given class. with_real : compares with real images. least_images : fewer
    on either side cannot be measured. images_per_feature : generated images for each feature of the network below
    which the metric means nothing; 0 for no such limit. frechet : whether it compares covariances.
    """

    name: str
    label: str
    meaning: str
    lower_is_better: bool
    keeps: Keeps
    with_real: bool = True
    least_images: int = 2
    images_per_feature: float = 0.0
    frechet: bool = False


METRICS: Registry[Metric] = Registry("metric")

# Precision, recall, density and coverage were published on a VGG-16's features; the protocol's network stands in.
_OWN_FEATURES = (
    "Measured on the features of the network in the protocol's name, so not comparable with papers' numbers."
)

for _metric in (
    Metric(
        name="fid",
        label="FID",
        meaning="Fréchet distance between two normal distributions fitted to the features of generated and of real "
        "images. Lower is better. It grows with fewer images: only equal counts can be compared.",
        lower_is_better=True,
        keeps="statistics",
        frechet=True,
    ),
    Metric(
        name="kid",
        label="KID",
        meaning="Squared maximum mean discrepancy with a cubic kernel between the features of generated and of real "
        "images. Lower is better, unbiased at any number of images, and may be negative by chance.",
        lower_is_better=True,
        keeps="features",
    ),
    Metric(
        name="is",
        label="Inception Score",
        meaning="Inception Score: how surely the network recognizes single images and how evenly all of them spread "
        "over the classes. Higher is better; it does not look at real images.",
        lower_is_better=False,
        keeps="logits",
        with_real=False,
    ),
    Metric(
        name="precision",
        label="Precision",
        meaning="Share of generated images that lie within the distance of some real image to its third neighbour: "
        f"do images look real? From 0 to 1, higher is better. {_OWN_FEATURES}",
        lower_is_better=False,
        keeps="features",
        least_images=6,
    ),
    Metric(
        name="recall",
        label="Recall",
        meaning="Share of real images that lie within the distance of some generated image to its third neighbour: is "
        f"everything there? From 0 to 1, higher is better. {_OWN_FEATURES}",
        lower_is_better=False,
        keeps="features",
        least_images=6,
    ),
    Metric(
        name="density",
        label="Density",
        meaning="How many real images have a generated one among their five nearest, on average over generated images "
        "and divided by five: precision that a single outlier cannot raise. From 0; about 1 for real images, and more "
        f"where generated images crowd on common ones. {_OWN_FEATURES}",
        lower_is_better=False,
        keeps="features",
        least_images=6,
    ),
    Metric(
        name="coverage",
        label="Coverage",
        meaning="Share of real images that have a generated one closer than their fifth real neighbour: recall that "
        f"does not trust generated outliers. From 0 to 1, higher is better. {_OWN_FEATURES}",
        lower_is_better=False,
        keeps="features",
        least_images=6,
    ),
    Metric(
        name="fid-infinity",
        label="FID∞",
        meaning="FID extrapolated along 1/N to infinitely many generated images, so that a model's own bias in N does "
        "not enter; that of the number of real images stays. Lower is better; may be negative by chance. Its spread is "
        "the standard error of the fitted line, less than what another set of generated images would change.",
        lower_is_better=True,
        keeps="features",
        frechet=True,
        images_per_feature=2 * 5000 / 2048,  # twice the smallest size of its line: the paper's 5,000 for Inception
    ),
    Metric(
        name="intra-fid",
        label="Intra-class FID",
        meaning="FID between generated and real images of one class, averaged over all classes: a conditional model "
        "that confuses its classes is seen here and not by FID. Lower is better; it grows with fewer images per class.",
        lower_is_better=True,
        keeps="class-statistics",
        frechet=True,
    ),
):
    METRICS.add(_metric.name, _metric)
