"""`python -m sngan` as typed, run within the test's process."""

import io
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass

from sngan.__main__ import run


@dataclass(frozen=True)
class Done:
    """What a command answered."""

    returncode: int
    stdout: str
    stderr: str


def sngan(*arguments: object) -> Done:
    """The command line within this process: starting Python and torch for every mistake would take minutes."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run([str(argument) for argument in arguments])
    return Done(code, out.getvalue(), err.getvalue())
