"""What a cell says, and when a sweep will be done: closed forms with a clock that stands still."""

import dataclasses
from pathlib import Path

import pytest

from sngan.results import Evaluation, Outcome, Score
from sweeps.board import Board, headline_value, is_protocol
from sweeps.spaces import Place
from sweeps.store import open_store
from sweeps.study import PlannedTrial
from tests.sweeps.store.samples import FID, PRESET, STUDY, evaluation, filled, planned

HEADLINE = FID[:-9]


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def at(update: int, spent_s: float, fid: float = 12.5) -> Evaluation:
    """An evaluation after `spent_s` seconds, a fifth of them measuring."""
    return Evaluation(
        update=update,
        scores=evaluation(update, fid).scores,
        diagnostics={},
        train_s=0.8 * spent_s,
        evaluate_s=0.2 * spent_s,
        samples=None,
    )


def ended(spent_s: float, state: str = "completed", update: int = 1000) -> Outcome:
    assert state in ("completed", "diverged")
    return Outcome(state=state, update=update, reason="", train_s=spent_s, evaluate_s=0.0)  # type: ignore[arg-type]


def complete(board: Board, trial: PlannedTrial, spent_s: float, fid: float = 12.5) -> None:
    board.start(trial)
    board.evaluate(trial, at(1000, spent_s, fid))
    board.finish(trial, ended(spent_s))


def diverge(board: Board, trial: PlannedTrial, update: int = 500, spent_s: float = 5.0) -> None:
    board.start(trial)
    board.finish(trial, ended(spent_s, "diverged", update))


def test_methods_and_settings_stand_in_the_order_of_figures_whenever_they_were_added() -> None:
    settings = ["D(n_dis=10)", "D(n_dis=2)", "A"]
    board = Board(planned(methods=["sn", "none"], settings=settings, seeds=1), HEADLINE)
    assert board.methods == ["none", "sn"]
    assert board.settings == ["A", "D(n_dis=2)", "D(n_dis=10)"]
    board.expect(planned(methods=["wgan-gp"], settings=["C"], seeds=1), {}, to_come=0)
    assert board.methods == ["none", "wgan-gp", "sn"]
    assert board.settings == ["A", "C", "D(n_dis=2)", "D(n_dis=10)"]


def test_nothing_is_known_before_the_first_evaluation() -> None:
    trials = planned(methods=["sn"], settings=["A"], seeds=4)
    board = Board(trials, HEADLINE, slots=2, clock=Clock())
    assert board.eta_s() is None
    board.start(trials[0])
    assert board.eta_s() is None


def test_eta_of_equal_trials() -> None:
    """4 trials of 40 s on 2 slots: one done and one half done leave 20 + 40 + 40 s of work, so 50 s."""
    clock = Clock()
    trials = planned(methods=["sn"], settings=["A"], seeds=4)
    board = Board(trials, HEADLINE, slots=2, clock=clock)
    complete(board, trials[0], 40.0)
    board.start(trials[1])
    board.evaluate(trials[1], at(500, 20.0))
    assert board.eta_s() == pytest.approx(50.0)
    clock.now += 10  # ten seconds later, without news, ten seconds of one trial are done
    assert board.eta_s() == pytest.approx(45.0)
    clock.now += 1000  # a trial that is late takes no negative time
    assert board.eta_s() == pytest.approx(40.0)


def test_eta_counts_what_a_trial_costs_by_its_updates() -> None:
    """Settings A and B have n_dis 5 and 1: six and two updates of networks per generator update."""
    trials = planned(methods=["sn"], settings=["A", "B"], seeds=1)
    board = Board(trials, HEADLINE, slots=1, clock=Clock())
    complete(board, trials[0], 60.0)
    assert board.eta_s() == pytest.approx(20.0)
    assert board.work_done() == pytest.approx(0.75)


def test_eta_is_never_less_than_the_longest_trial() -> None:
    trials = planned(methods=["sn"], settings=["A", "B"], seeds=1)
    board = Board(trials, HEADLINE, slots=8, expected_s={trials[0].digest: 90.0, trials[1].digest: 30.0})
    assert board.eta_s() == pytest.approx(90.0)


def test_expected_costs_are_corrected_by_what_is_measured() -> None:
    """Known: 10 s each; the first takes 30 s, so the others will, too."""
    trials = planned(methods=["sn"], settings=["A"], seeds=3)
    board = Board(trials, HEADLINE, expected_s={trial.digest: 10.0 for trial in trials}, clock=Clock())
    assert board.eta_s() == pytest.approx(30.0)
    complete(board, trials[0], 30.0)
    assert board.eta_s() == pytest.approx(60.0)


def test_a_trial_without_expectation_gets_that_of_the_others_per_work() -> None:
    trials = planned(methods=["sn"], settings=["A", "B"], seeds=1)
    board = Board(trials, HEADLINE, expected_s={trials[0].digest: 60.0}, clock=Clock())
    assert board.eta_s() == pytest.approx(60.0 + 20.0)


def test_a_resumed_trial_does_not_look_fast() -> None:
    """Its earlier evaluations come at once, but bring their cost with them."""
    trials = planned(methods=["sn"], settings=["A"], seeds=2)
    board = Board(trials, HEADLINE, clock=Clock())
    board.start(trials[0])
    board.evaluate(trials[0], at(250, 10.0))
    board.evaluate(trials[0], at(750, 30.0))
    assert board.eta_s() == pytest.approx(10.0 + 40.0)


def test_trials_of_earlier_launches_are_done_and_cost_nothing_now() -> None:
    trials = planned(methods=["sn"], settings=["A"], seeds=4)
    done = {trial.digest: "completed" for trial in trials[:3]}
    board = Board(trials, HEADLINE, states=done, values={trials[0].digest: 3.0}, clock=Clock())
    assert (board.num_done, board.work_done()) == (3, 0.75)
    assert board.eta_s() is None
    board.start(trials[3])
    board.evaluate(trials[3], at(500, 7.0))
    assert board.eta_s() == pytest.approx(7.0)
    assert board.cell("sn", "A").value == 3.0


def test_diverged_seeds_count_as_worst() -> None:
    trials = planned(methods=["sn"], settings=["A"], seeds=3)
    board = Board(trials, HEADLINE)
    complete(board, trials[0], 1.0, fid=10.0)
    complete(board, trials[1], 1.0, fid=20.0)
    assert board.cell("sn", "A").value == 15.0
    diverge(board, trials[2])
    cell = board.cell("sn", "A")
    assert (cell.value, cell.done, cell.total) == (20.0, 3, 3)
    board = Board(trials, HEADLINE)
    complete(board, trials[0], 1.0)
    diverge(board, trials[1])
    diverge(board, trials[2])
    assert board.cell("sn", "A").value is None, "the median seed diverged"


def test_diverged_counts_as_worst_also_where_higher_is_better() -> None:
    headline = "is/gen600x1-digits"
    trials = planned(methods=["sn"], settings=["A"], seeds=3)
    board = Board(trials, headline)
    for trial, value in zip(trials, (5.0, 7.0, None), strict=True):
        if value is None:
            diverge(board, trial)
            continue
        board.start(trial)
        score = Score(
            protocol=f"{headline}-1a2b3c4d", metric="is", value=value, spread=None, num_generated=600, num_real=0,
            split="", extractor="digits-1a2b3c4d", floor=None, seconds=0.1,
        )  # fmt: skip
        board.evaluate(
            trial, Evaluation(update=1000, scores=(score,), diagnostics={}, train_s=1, evaluate_s=0, samples=None)
        )
        board.finish(trial, ended(1.0))
    assert board.cell("sn", "A").value == 5.0
    assert board.metric == "IS"


def test_failures() -> None:
    trials = planned(methods=["sn"], settings=["A"], seeds=2)
    board = Board(trials, HEADLINE)
    board.start(trials[0])
    board.fail(trials[0], final=False)
    assert board.cell("sn", "A").counts["queued"] == 2, "it is tried again"
    board.start(trials[0])
    board.fail(trials[0], final=True)
    cell = board.cell("sn", "A")
    assert (cell.counts["failed"], cell.done, cell.value) == (1, 0, None)


def test_the_board_of_a_store_equals_that_of_a_listener(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'results.db'}") as store:
        trials = filled(store)
        values = store.newest_values(STUDY, PRESET, HEADLINE)
        stored = Board.of_store(store.trials(STUDY, PRESET), values, HEADLINE)
    told = Board(trials, HEADLINE)
    for trial in trials[:-1]:
        complete(told, trial, 1.0, fid=values[trial.digest])
    diverge(told, trials[-1], update=1000)
    assert stored.counts() == told.counts()
    assert stored.methods == ["wgan-gp", "sn"], "in the order of the registry"
    assert sorted(told.methods) == sorted(stored.methods)
    for method in told.methods:
        for setting in told.settings:
            assert stored.cell(method, setting) == told.cell(method, setting)


def test_protocols_are_matched_with_their_hash_only() -> None:
    assert is_protocol(FID, HEADLINE)
    assert is_protocol(HEADLINE, HEADLINE)
    assert not is_protocol("fid/gen600-test600-digits-more-1a2b3c4d", HEADLINE)
    assert not is_protocol("kid/gen600-test600-digits-1a2b3c4d", HEADLINE)
    assert headline_value(evaluation(500, 3.5), HEADLINE) == 3.5
    assert headline_value(evaluation(500, 3.5), "is/gen600x1-digits") is None


def test_an_empty_board() -> None:
    board = Board([], HEADLINE)
    assert (board.num_done, board.work_done(), board.eta_s(), board.methods) == (0, 0.0, None, [])


# Searches


def found(number: int, sampler: str = "random", *, best: bool = False) -> PlannedTrial:
    trial = planned(methods=["sn"], settings=["A"], seeds=40)[number + 20 * best]
    place = Place(sampler=sampler, number=number, best=best)
    return dataclasses.replace(trial, setting=str(place))


def test_a_search_is_one_column_that_shows_its_best_and_its_best_one_trained_again_another() -> None:
    trials = [*(found(number) for number in range(3)), found(0, best=True), found(1, best=True)]
    board = Board(trials, HEADLINE)
    assert board.settings == ["random", "random best"]
    for trial, fid in zip(trials, (30.0, 20.0, 40.0, 22.0, 26.0), strict=True):
        complete(board, trial, 10.0, fid)
    assert board.cell("sn", "random").value == 20.0
    assert board.cell("sn", "random best").value == 24.0
    for trial in trials[:3]:
        diverge(board, trial)
    assert board.cell("sn", "random").value is None


def test_trials_that_are_still_to_be_proposed_count_as_the_mean_so_far() -> None:
    first, later = [found(0), found(1)], [found(2), found(3)]
    board = Board(first, HEADLINE, slots=2, to_come=4, clock=Clock())
    assert board.num_trials == 6
    for trial in first:
        complete(board, trial, 10.0)
    assert board.eta_s() == pytest.approx(4 * 10 / 2)
    assert board.work_done() == pytest.approx(2 / 6)
    board.expect(later, {later[0].digest: "completed"}, to_come=2)
    assert board.num_trials == 6
    assert board.counts()["completed"] == 3
    assert board.eta_s() == pytest.approx(3 * 10 / 2)
