"""FID of CIFAR-10's first 10,000 training images against its 10,000 test images: ours and pytorch-fid's own functions.

python -m tests.benchmarks.fid_agreement --cifar10 FOLDER --inception FILE [--cache-dir FOLDER] [--threads N]

Both work on the same features. 20,000 images take about half an hour on two cores; the features are kept in the cache.
"""

import logging
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from pytorch_fid.fid_score import calculate_frechet_distance

from sngan.datasets import open_dataset
from sngan.metrics.array_cache import ArrayCache
from sngan.metrics.extractors import load_extractor
from sngan.metrics.frechet import frechet_distance
from sngan.metrics.samples import RealSample
from sngan.places import default_cache_dir
from sngan.results import RunOptions
from tests.benchmarks import options
from tests.benchmarks.machine import keep

NUM_IMAGES = 10_000


def main() -> None:
    parser = options.parser(__doc__, "--cifar10", "--inception")
    parser.add_argument("--cache-dir", type=Path, default=default_cache_dir())
    parser.add_argument("--threads", type=int, default=2)
    arguments = options.parsed(parser)
    num_images = 8 if arguments.smoke else NUM_IMAGES
    logging.basicConfig(level=logging.INFO)
    torch.set_num_threads(arguments.threads)

    run_options = RunOptions(cache_dir=arguments.cache_dir, inception_weights=arguments.inception)
    dataset = open_dataset("cifar10", cache_dir=run_options.cache_dir, data_dir=arguments.cifar10)
    extractor = load_extractor("inception", run_options)
    samples = {
        split: RealSample(dataset, split, extractor, ArrayCache(run_options.cache_dir / "references"))
        for split in ("train", "test")
    }
    start = time.perf_counter()
    features = {split: sample.features(num_images) for split, sample in samples.items()}
    extraction_s = time.perf_counter() - start

    start = time.perf_counter()
    ours = frechet_distance(samples["train"].statistics(num_images), samples["test"].statistics(num_images))
    ours_s = time.perf_counter() - start

    start = time.perf_counter()
    doubles = [rows.astype(np.float64) for rows in features.values()]
    moments = [(np.mean(rows, axis=0), np.cov(rows, rowvar=False)) for rows in doubles]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # pytorch-fid calls sqrtm by an old signature
        theirs = float(calculate_frechet_distance(*moments[0], *moments[1]))
    theirs_s = time.perf_counter() - start

    keep(
        "fid_agreement",
        options.command(),
        {
            "images": f"CIFAR-10 train {num_images} against test {num_images}",
            "extractor": extractor.identity,
            "ours": ours,
            "pytorch_fid": theirs,
            "relative_difference": abs(ours - theirs) / theirs,
            "ours_s": round(ours_s, 2),
            "pytorch_fid_s": round(theirs_s, 2),
            "extraction_s": round(extraction_s, 1),
        },
        smoke=arguments.smoke,
    )


if __name__ == "__main__":
    main()
