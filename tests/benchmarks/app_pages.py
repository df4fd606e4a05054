"""How fast the app is for its reader, in Chromium: first paint, a page, a filter.

python -m tests.benchmarks.app_pages [--trials 1000,10000] [--turns 5]

The stores are those of growth.py: robustness with 20 evaluations per trial; here each has a grid of samples, and every
tenth the values and spectra of two layers. A visit begins with the request and is a new tab. "first paint" is what the
browser calls the first contentful paint, "page" the moment at which the page's main content stands there: matrix,
verdicts, chart, or images. The first visit after the app has started reads the store; the others find it read. "filter"
is the time from a key to the new chart, on a page that has come to rest.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sngan.results import Evaluation
from sngan.seeding import numpy_stream
from sweeps.records import StudyRecords
from sweeps.reporting import judge_study
from sweeps.store import open_store
from sweeps.study import PlannedTrial, plan
from tests.benchmarks import options
from tests.benchmarks.growth import a_study, evaluations_of, fill, num_seeds
from tests.benchmarks.machine import keep
from tests.browser import browsed
from tests.dashboards.app.server import served
from tests.dashboards.synthetic import diagnosis, grid

CONTENTS = {"Now": "table.matrix", "Verdicts": ".verdict", "Compare": "svg.marks", "Landscape": "svg.marks",
            "Inside": "svg.marks", "Samples": "table.grids img", "Trial": "dl.facts >> visible=true"}  # fmt: skip
_FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
_AT_REST = "[data-test-script-state=notRunning]"
_MARK = "document.querySelectorAll('svg.marks').forEach(chart => chart.dataset.old = 'yes')"


def store_of(num_trials: int, out: Path) -> Path:
    """A folder of results with so many trials, judged."""
    study, preset = a_study()
    with open_store(f"sqlite:///{out / 'results.db'}") as store:
        fill(store, study, preset, plan(preset, seeds=num_seeds(preset, num_trials)), Recorded(out))
        records = StudyRecords(store=store, study=study, preset=preset)
        store.record_verdicts(study.name, preset.name, judge_study(records))
    return out


class Recorded:
    """Evaluations with what trials record beside scores; the seeds of a cell share the files of their grids."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._grids: dict[tuple[str, str, int], Path] = {}

    def __call__(self, trial: PlannedTrial, values: Sequence[float]) -> Iterator[tuple[str, Evaluation]]:
        """(digest, evaluation) of a trial with these scores."""
        stream = numpy_stream(trial.seed, "metric")
        for number, (digest, evaluation) in enumerate(evaluations_of(trial, values), 1):
            name = (trial.method, trial.setting, evaluation.update)
            if name not in self._grids:
                self._grids[name] = grid(trial, evaluation.update, self._out, stream)
            seen = (diagnosis(trial, evaluation.update, stream),) if number % 10 == 0 else ()
            yield digest, replace(evaluation, samples=self._grids[name], diagnoses=seen)


def visit(page: Any, address: str, title: str) -> dict[str, float]:
    """Seconds until something is painted, and until the content is there."""
    begin = time.perf_counter()
    page.goto(f"{address}?page={title}", wait_until="commit")
    page.locator(CONTENTS[title]).first.wait_for()
    taken_s = time.perf_counter() - begin
    return {"first paint": page.evaluate(_FIRST_PAINT) / 1000, "page": taken_s}


def choose_method(page: Any) -> float:
    """Type the name of a method into the box of methods, and press Enter: seconds until the chart is another one."""
    box = page.get_by_label("Methods").first
    box.click()
    box.type("layer-norm")
    return redrawn(page, "Enter")


def move_threshold(page: Any) -> float:
    """Move the slider by one step: seconds until the chart is another one."""
    page.get_by_role("slider").first.focus()
    return redrawn(page, "ArrowRight")


def redrawn(page: Any, key: str) -> float:
    """Seconds from a key to a chart that was not there before."""
    page.evaluate(_MARK)
    begin = time.perf_counter()
    page.keyboard.press(key)
    page.wait_for_function("document.querySelector('svg.marks:not([data-old])') !== null", polling="raf")
    return time.perf_counter() - begin


FILTERS: Mapping[str, Callable[[Any], float]] = {"Compare": choose_method, "Landscape": move_threshold}


def visits(address: str, turns: int) -> Iterator[tuple[str, str, float]]:
    """(page, what, seconds): the first visit of all, then every page in turns, then its filter."""
    for turn in range(-1, turns):
        for title in CONTENTS if turn >= 0 else ["Now"]:
            with browsed(viewport={"width": 1400, "height": 1000}) as page:
                for what, taken_s in visit(page, address, title).items():
                    yield title, what if turn >= 0 else f"first visit: {what}", taken_s
                if turn >= 0 and title in FILTERS:
                    page.wait_for_selector(_AT_REST)
                    yield title, "filter", FILTERS[title](page)


def measure(num_trials: int, out: Path, turns: int) -> dict[str, Any]:
    """Median and longest of all turns, per page."""
    found: dict[str, dict[str, list[float]]] = {}
    with served(store_of(num_trials, out)) as address:
        for title, what, taken_s in visits(address, turns):
            found.setdefault(title, {}).setdefault(what, []).append(taken_s)
    return {
        title: {
            what: {"median_s": round(statistics.median(taken), 3), "longest_s": round(max(taken), 3)}
            for what, taken in each.items()
        }
        for title, each in found.items()
    }


def main() -> None:
    """Measure all sizes."""
    made = options.parser(__doc__)
    made.add_argument("--trials", default="1000,10000", help="sizes, with commas  [default: %(default)s]")
    made.add_argument("--turns", type=int, default=5, help="visits of every page  [default: %(default)s]")
    arguments = options.parsed(made)
    sizes = [120] if arguments.smoke else [int(size) for size in arguments.trials.split(",")]
    turns = 1 if arguments.smoke else arguments.turns
    with tempfile.TemporaryDirectory(prefix="sngan-bench-") as temporary:
        try:
            rows = {f"{size} trials": measure(size, Path(temporary) / str(size), turns) for size in sizes}
        except pytest.skip.Exception as reason:  # no browser here
            raise SystemExit(str(reason)) from None
    keep("app_pages", options.command(), rows, smoke=arguments.smoke)


if __name__ == "__main__":
    main()
