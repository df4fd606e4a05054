"""Formulas alone, from the same features or moments: ours and those of three others.

python -m tests.benchmarks.metric_functions [--images N] [--dim D] [--turns N] [--threads N]

The Frechet distance from means and covariances, the kernel distance of 100 subsets of 1,000 images, the Inception Score
of 1,008 logits. The others are pytorch-fid, torch-fidelity and pytorch-image-generation-metrics. Features are
correlated random numbers; what is computed is told beside the times.
"""

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_fid.fid_score import calculate_frechet_distance
from torch_fidelity.metric_fid import fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric

from sngan.metrics.frechet import frechet_distance
from sngan.metrics.inception_score import inception_score
from sngan.metrics.kernel import NUM_SUBSETS, SUBSET_SIZE, kernel_distance
from sngan.metrics.statistics import FeatureStatistics
from sngan.seeding import numpy_stream
from tests.benchmarks import options, peers
from tests.benchmarks.machine import keep
from tests.benchmarks.turns import COMPARISON, NO_TARGETS, Answers, comparison_rows, show, take_turns

NAME = "metric_functions"
Floats = NDArray[np.floating]
TARGETS = {"Frechet distance": {"pytorch-fid": 0.2}}


def features(num_images: int, dim: int) -> tuple[Floats, Floats]:
    """Two sets, float32 [num_images, dim], that differ a little."""
    stream = numpy_stream(0, "metric")
    scales = (0.5 / np.sqrt(1.0 + np.arange(dim))).astype(np.float32)
    mixing = stream.standard_normal((dim, dim), np.float32) / np.float32(np.sqrt(dim))
    first, second = (
        (stream.standard_normal((num_images, dim), np.float32) * scales) @ mixing + np.float32(0.4) for _ in range(2)
    )
    return first, second * np.float32(1.05)


def frechet(first: Floats, second: Floats) -> dict[str, Any]:
    """From moments that are there; ours takes the reference's root anew, as at the first evaluation, and with it."""
    ours = [FeatureStatistics.from_features(rows) for rows in (first, second)]
    known = FeatureStatistics(ours[0].count, ours[0].mean, ours[0].scatter)
    _ = known.covariance_root
    moments = [{"mu": each.mean, "sigma": each.covariance} for each in ours]
    flat = (moments[0]["mu"], moments[0]["sigma"], moments[1]["mu"], moments[1]["sigma"])
    metrics = peers.image_generation_metrics()
    return {
        "ours": lambda: frechet_distance(FeatureStatistics(ours[0].count, ours[0].mean, ours[0].scatter), ours[1]),
        "ours, reference's root known": lambda: frechet_distance(known, ours[1]),
        "pytorch-fid": lambda: calculate_frechet_distance(*flat),
        "torch-fidelity": lambda: fid_statistics_to_metric(*moments, verbose=False)["frechet_inception_distance"],
        "pytorch-image-generation-metrics": lambda: metrics.frechet_distance(*flat),
    }


def kernel(first: Floats, second: Floats) -> dict[str, Any]:
    """KID of 100 subsets; the two draw them differently."""
    size = min(SUBSET_SIZE, len(first) // 2)
    tensors = [torch.from_numpy(rows) for rows in (first, second)]
    drawn = {"kid_subsets": NUM_SUBSETS, "kid_subset_size": size, "verbose": False}
    return {
        "ours": lambda: kernel_distance(first, second, subset_size=size)[0],
        "torch-fidelity": lambda: kid_features_to_metric(*tensors, **drawn)["kernel_inception_distance_mean"],
    }


def score(num_images: int) -> dict[str, Any]:
    """Inception Score in ten parts; pytorch-image-generation-metrics starts from probabilities."""
    logits = 3 * numpy_stream(1, "metric").standard_normal((num_images, 1008), np.float32)
    tensor = torch.from_numpy(logits)
    probabilities = tensor.double().softmax(dim=1).numpy()
    metrics = peers.image_generation_metrics()
    return {
        "ours": lambda: inception_score(logits, 10)[0],
        "torch-fidelity": lambda: isc_features_to_metric(tensor, 10, shuffle=False)["inception_score_mean"],
        "pytorch-image-generation-metrics": lambda: metrics.inception_score(probabilities, 10)[0],
    }


def main() -> None:
    made = options.parser(__doc__)
    made.add_argument("--images", type=int, default=5000)
    made.add_argument("--dim", type=int, default=2048)
    made.add_argument("--turns", type=int, default=3)
    made.add_argument("--threads", type=int, default=2)
    arguments = options.parsed(made)
    num_images, dim, turns = (300, 64, 1) if arguments.smoke else (arguments.images, arguments.dim, arguments.turns)
    torch.set_num_threads(arguments.threads)
    both = features(num_images, dim)
    cases = {
        "Frechet distance": frechet(*both),
        "kernel distance": kernel(*both),
        "Inception Score": score(num_images),
    }
    results: dict[str, Any] = {"images": num_images, "dimensions": dim, "threads": arguments.threads}
    lines = []
    for case, works in cases.items():
        answers = Answers()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # scipy's sqrtm by an old signature
            taken = take_turns(answers.of(works), turns, warm_up=0 if case == "Frechet distance" else 1)
        targets = TARGETS.get(case, NO_TARGETS)
        results[case] = {**taken.compared("ours", targets), "values": answers.values}
        rows = comparison_rows(case, taken, "ours", targets)
        lines += [[*row, f"{answers.values[row[1]]:.9g}"] for row in rows]
    show(f"Formulas alone, {num_images} images, {dim} dimensions", (*COMPARISON, "value"), lines)
    keep(NAME, options.command(), results, smoke=arguments.smoke, shown=True)


if __name__ == "__main__":
    main()
