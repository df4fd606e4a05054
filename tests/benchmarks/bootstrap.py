"""Bootstrap intervals of a whole study: 50,000 replicates over 8 methods x 6 settings x 10 seeds, on one core.

python -m tests.benchmarks.bootstrap
"""

import time
import tracemalloc
from collections.abc import Callable

import numpy as np

from sngan.seeding import numpy_stream
from sweeps.bootstrap import estimate, estimate_pair, stratified_bootstrap
from sweeps.rank_tests import compare_ranks
from sweeps.statistics import (
    FloatArray,
    iqm,
    mean,
    optimality_gap,
    performance_profile,
    probability_of_improvement,
    spread_range,
)
from tests.benchmarks import options
from tests.benchmarks.machine import keep
from tests.sweeps.score_samples import equal_methods, table_of

METHODS = ("weight-clipping", "gan-gp", "wgan-gp", "batch-norm", "layer-norm", "weight-norm", "orthonormal", "sn")
NUM_REPLICATES = 50_000


def main() -> None:
    arguments = options.parsed(options.parser(__doc__))
    replicates, few = (200, 20) if arguments.smoke else (NUM_REPLICATES, 2_000)
    table = table_of(equal_methods(METHODS, 10, numpy_stream(0, "bootstrap")), METHODS)
    scores, thresholds = table.scores, np.linspace(0, 1, 101)

    def of_each(statistic: Callable[[FloatArray], FloatArray]) -> Callable[[], object]:
        """One interval per method, as the report makes them."""
        return lambda: [
            estimate(one, statistic, stream=numpy_stream(1, "bootstrap"), num_replicates=replicates) for one in scores
        ]

    def improvements() -> None:
        for one in scores[:-1]:
            estimate_pair(
                one,
                scores[-1],
                probability_of_improvement,
                stream=numpy_stream(1, "bootstrap"),
                num_replicates=replicates,
            )

    def profiles() -> None:
        for one in scores:
            stratified_bootstrap(
                one,
                lambda runs: performance_profile(runs, thresholds),
                num_replicates=few,
                stream=numpy_stream(1, "bootstrap"),
            )

    rows = {}
    for name, work in {
        "iqm": of_each(iqm),
        "mean": of_each(mean),
        "optimality_gap": of_each(lambda runs: optimality_gap(runs, table.real_score)),
        "spread_over_settings": of_each(spread_range),
        "probability_of_improvement_of_7_pairs": improvements,
        "profiles_at_101_scores_2000_replicates": profiles,
        "rank_tests_of_28_pairs": lambda: compare_ranks(table),
    }.items():
        seconds, megabytes = measured(work)
        rows[f"{name}_s"], rows[f"{name}_peak_mb"] = round(seconds, 2), round(megabytes, 1)
    keep("bootstrap", options.command(), {"replicates": replicates, **rows}, smoke=arguments.smoke)


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of processor time of one call, and the most memory in MB that a second call holds at once."""
    start = time.process_time()
    work()
    seconds = time.process_time() - start
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return seconds, peak / 1e6


if __name__ == "__main__":
    main()
