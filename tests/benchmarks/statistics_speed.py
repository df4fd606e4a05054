"""Bootstrap intervals over seeds, ours and rliable's, from the same scores: IQM and probability of improvement.

python -m tests.benchmarks.statistics_speed [--turns N]

Scores of 6 settings x 10 seeds, of one method for the interquartile mean and of two for the probability that a run of
the first is better, each with as many replicates in both; on one core. The ends of the intervals are told, which agree
but for the noise of drawing. What a whole study costs us, and in memory, is in tests.benchmarks.bootstrap.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sngan.seeding import numpy_stream
from sweeps.bootstrap import estimate, estimate_pair
from sweeps.statistics import Estimate, iqm, probability_of_improvement
from tests.benchmarks import options, peers
from tests.benchmarks.machine import keep
from tests.benchmarks.turns import COMPARISON, Answers, comparison_rows, show, take_turns

NAME = "statistics_speed"
NUM_SETTINGS, NUM_SEEDS = 6, 10
TARGETS = {"rliable": 0.1}
_IQM, _IMPROVEMENT = "interquartile mean", "probability of improvement"
# rliable's default is 50,000; a tenth of them for the statistic of which each takes it ten milliseconds.
REPLICATES = {_IQM: 50_000, _IMPROVEMENT: 5_000}

Ends = tuple[float, float]


def cases(replicates: Mapping[str, int]) -> dict[str, dict[str, Callable[[], Ends]]]:
    """Statistic -> who -> work that gives the ends of the interval."""
    stream = numpy_stream(0, "bootstrap")
    first, second = stream.random((2, NUM_SETTINGS, NUM_SEEDS))
    first += 0.1
    rliable = peers.rliable()

    def ours_of(found: Estimate) -> Ends:
        assert found.low is not None
        assert found.high is not None
        return found.low, found.high

    def theirs(scores: Any, statistic: Callable[..., float], num: int) -> Ends:
        """rliable's arrays are [runs, tasks]."""
        _, intervals = rliable.rly.get_interval_estimates(
            {"method": scores}, lambda *runs: np.array([statistic(*runs)]), reps=num
        )
        low, high = intervals["method"][:, 0]
        return float(low), float(high)

    def drawn() -> np.random.Generator:
        return numpy_stream(1, "bootstrap")

    num_iqm, num_improvement = replicates[_IQM], replicates[_IMPROVEMENT]
    improvement = rliable.metrics.probability_of_improvement
    pair = probability_of_improvement
    return {
        _IQM: {
            "ours": lambda: ours_of(estimate(first, iqm, stream=drawn(), num_replicates=num_iqm)),
            "rliable": lambda: theirs(first.T, rliable.metrics.aggregate_iqm, num_iqm),
        },
        _IMPROVEMENT: {
            "ours": lambda: ours_of(estimate_pair(first, second, pair, stream=drawn(), num_replicates=num_improvement)),
            "rliable": lambda: theirs([first.T, second.T], improvement, num_improvement),
        },
    }


def main() -> None:
    made = options.parser(__doc__)
    made.add_argument("--turns", type=int, default=3)
    arguments = options.parsed(made)
    turns = 1 if arguments.smoke else arguments.turns
    replicates = dict.fromkeys(REPLICATES, 100) if arguments.smoke else dict(REPLICATES)
    results: dict[str, Any] = {"scores": f"{NUM_SETTINGS} settings x {NUM_SEEDS} seeds"}
    lines = []
    for case, works in cases(replicates).items():
        answers = Answers()
        taken = take_turns(answers.of(works), turns, warm_up=0)
        results[case] = {
            "replicates": replicates[case], **taken.compared("ours", TARGETS), "intervals": answers.values,
        }  # fmt: skip
        rows = comparison_rows(f"{case}, {replicates[case]} replicates", taken, "ours", TARGETS)
        lines += [[*row, "{:.4f} - {:.4f}".format(*answers.values[row[1]])] for row in rows]
    show("Bootstrap intervals", (*COMPARISON, "interval"), lines)
    keep(NAME, options.command(), results, smoke=arguments.smoke, shown=True)


if __name__ == "__main__":
    main()
