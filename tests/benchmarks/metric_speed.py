"""Seconds and memory of the metrics on features as large as the paper's protocols have them, on one core.

python -m tests.benchmarks.metric_speed [--generated 5000] [--real 10000] [--dim 2048] [--only NAME ...]

Features are normal random numbers. Every measurement runs in a process of its own, so that its peak memory is its own.
torch-fidelity's precision and recall, in float32, are measured for comparison.
"""

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch_fidelity.metric_prc import prc_features_to_metric

from sngan.metrics.fid_infinity import fid_infinity
from sngan.metrics.frechet import frechet_distance
from sngan.metrics.kernel import kernel_distance
from sngan.metrics.neighbours import nearest_distances, neighbour_scores
from sngan.metrics.samples import Features
from sngan.metrics.statistics import FeatureStatistics
from tests.benchmarks import options
from tests.benchmarks.machine import keep


def _fid(generated: Features, real: Features) -> Callable[[], object]:
    reference, rows = FeatureStatistics.from_features(real), torch.from_numpy(generated)
    _ = reference.covariance_root  # known from the first evaluation on
    return lambda: frechet_distance(reference, FeatureStatistics.from_features(rows))


def _fid_infinity(generated: Features, real: Features) -> Callable[[], object]:
    reference = FeatureStatistics.from_features(real)
    _ = reference.covariance_root
    return lambda: fid_infinity(reference, generated)


def _neighbours(generated: Features, real: Features) -> Callable[[], object]:
    nearest = np.full(
        (len(real), 5), 2.0 * real.shape[1], np.float32
    )  # about what it is; the work does not depend on it
    return lambda: neighbour_scores(generated, real, nearest)


def _theirs(generated: Features, real: Features) -> Callable[[], object]:
    options = {"prc_neighborhood": 3, "prc_batch_size": 2048, "save_cpu_ram": True, "verbose": False}
    return lambda: prc_features_to_metric(torch.from_numpy(generated), torch.from_numpy(real), **options)


# What is prepared before the clock starts, and returns what is measured.
MEASUREMENTS: dict[str, Callable[[Features, Features], Callable[[], object]]] = {
    "precision, recall, density, coverage": _neighbours,
    "real neighbours, once per machine": lambda _, real: lambda: nearest_distances(real),
    "precision, recall of torch-fidelity": _theirs,
    "kid": lambda generated, real: lambda: kernel_distance(generated, real),
    "fid": _fid,
    "fid-infinity": _fid_infinity,
}


def measured(name: str, num_generated: int, num_real: int, dim: int) -> dict[str, float]:
    """Seconds by the wall and of the processor, and MB of memory beyond features and preparation, at the peak."""
    torch.set_num_threads(1)
    stream = np.random.default_rng(0)
    sets = [stream.standard_normal((n, dim), np.float32) for n in (num_generated, num_real)]
    run = MEASUREMENTS[name](*sets)
    Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak begins anew
    before_mb = _peak_mb()
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return {
        "wall_s": round(time.perf_counter() - wall, 1),
        "cpu_s": round(time.process_time() - cpu, 1),
        "extra_peak_mb": round(_peak_mb() - before_mb),
    }


def _peak_mb() -> float:
    """The most memory that this process had resident since the peak was reset, MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1e3


def main() -> None:
    parser = options.parser(__doc__)
    parser.add_argument("--generated", type=int, default=5000)
    parser.add_argument("--real", type=int, default=10_000)
    parser.add_argument("--dim", type=int, default=2048)
    parser.add_argument("--only", nargs="*", choices=MEASUREMENTS, default=list(MEASUREMENTS))
    arguments = options.parsed(parser)
    sizes = (1000, 1000, 16) if arguments.smoke else (arguments.generated, arguments.real, arguments.dim)
    rows: dict[str, object] = {"features": f"{sizes[0]} generated, {sizes[1]} real, {sizes[2]} dimensions, one thread"}
    for name in arguments.only:
        if name == "fid-infinity" and sizes[0] < 5 * sizes[2]:
            continue  # too few for its line
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            rows[name] = pool.submit(measured, name, *sizes).result()
        print(name, rows[name], flush=True)
    keep("metric_speed", options.command(), rows, smoke=arguments.smoke)


if __name__ == "__main__":
    main()
