"""What the table of --dry-run says of many trials in a row."""

from collections.abc import Sequence

import pytest

from sweeps.commands.dry_run import _cost_text, _listed, _seeds_text


@pytest.mark.parametrize(
    ("names", "text"),
    [(["A"], "A"), (list("ABC"), "A, B, C"), ([f"tpe-{n:03}" for n in range(20)], "tpe-000 to tpe-019, 20 in all")],
)
def test_many_names_are_counted(names: Sequence[str], text: str) -> None:
    assert _listed(names) == text


@pytest.mark.parametrize(
    ("seeds", "text"),
    [
        ([0], "0"),
        ([0, 1], "0 to 1"),
        ([0, 2], "0, 2"),
        (range(100), "0 to 99"),
        ([*range(9), 11], "0 to 11, 10 in all"),
    ],
)
def test_seeds_in_a_row_are_a_range(seeds: Sequence[int], text: str) -> None:
    assert _seeds_text(seeds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [([30.0, 35.0], "1:05 min"), ([None, None], "not measured yet"), ([30.0, None], "30 s, 1 not measured yet")],
)
def test_the_cost_of_a_row_says_what_is_not_known(seconds: Sequence[float | None], text: str) -> None:
    assert _cost_text(seconds) == text
