"""What is left of a stored study, from what its finished trials cost."""

import json

import pandas as pd
import pytest

from sweeps.remaining import remaining
from sweeps.store.frames import COSTS
from tests.sweeps.store.samples import planned

NOTHING_MEASURED = pd.DataFrame(columns=list(COSTS)).astype(dict(COSTS))
SPENT_S = 12.0


def trials(*states: str) -> pd.DataFrame:
    """Trials of both methods at settings that differ in n_dis, 5 in A and 1 in B, in these states."""
    plan = planned(settings=("A", "B"), seeds=1)
    assert [trial.config.n_dis for trial in plan] == [5, 1, 5, 1]
    return pd.DataFrame(
        {
            "digest": trial.digest, "config": json.dumps(trial.config.to_dict()), "state": state, "updates": 1000,
            "last_update": {"completed": 1000, "running": 500}.get(state, 0),
            "train_s": SPENT_S - 2 if state == "completed" else None,
            "evaluate_s": 2.0 if state == "completed" else None,
        }
        for trial, state in zip(plan, states, strict=True)
    )  # fmt: skip


def test_nothing_is_told_before_a_trial_has_finished() -> None:
    left = remaining(trials("running", "queued", "queued", "queued"), NOTHING_MEASURED)
    assert (left.num_unknown, left.wall_s) == (4, None)


def test_a_trial_like_none_that_was_measured_costs_per_work_what_the_finished_ones_did() -> None:
    left = remaining(trials("completed", "running", "queued", "queued"), NOTHING_MEASURED)
    per_work = SPENT_S / (1000 * 6)
    assert left.num_unknown == 0
    assert left.seconds == pytest.approx(per_work * (1000 * 2 / 2 + 1000 * 6 + 1000 * 2))
    assert left.wall_s == pytest.approx(left.seconds)
    two = remaining(trials("completed", "running", "running", "queued"), NOTHING_MEASURED)
    assert two.wall_s == pytest.approx(two.seconds / 2)


def test_nothing_is_left_of_a_study_that_is_done() -> None:
    left = remaining(trials(*["completed"] * 4), NOTHING_MEASURED)
    assert (left.seconds, left.num_unknown, left.wall_s) == (0, 0, None)
