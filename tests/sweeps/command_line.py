"""Command lines as a user types them, and how a mistake must be told."""

from collections.abc import Callable, Sequence

import pytest

Line = Callable[..., tuple[int, str, str]]


def line_of(run: Callable[[Sequence[str]], int], captured: pytest.CaptureFixture[str]) -> Line:
    """Types a command line: exit code, standard output, standard error."""

    def run_line(*arguments: object) -> tuple[int, str, str]:
        code = run([str(argument) for argument in arguments])
        written = captured.readouterr()
        return code, written.out, written.err

    return run_line


def assert_told(answer: tuple[int, str, str], *parts: str) -> None:
    """A mistake is told on standard error, in one or two lines that name what they must, and never as a traceback."""
    code, out, err = answer
    assert code not in (0, 75)
    assert "Traceback" not in out + err
    assert err.startswith("error: ")
    assert len(err.strip().splitlines()) <= 2
    for part in parts:
        assert part in err
