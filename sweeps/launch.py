"""python -m sweeps.launch: runs studies, and shows, exports and compares their results."""

import gc
import importlib
import shlex
import sys
from collections.abc import Callable, Sequence
from types import FrameType

from sweeps.signals import UNFINISHED, StopRequested, interrupt, signals_handled


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    return start("sweeps.launch", "sweeps.commands.line", arguments)


def start(program: str, commands: str, arguments: Sequence[str] | None = None) -> int:
    """Run the command line of a program, which is `run` in the module `commands`; return the exit code."""
    typed = list(sys.argv[1:] if arguments is None else arguments)
    with signals_handled(interrupt):
        try:
            # Importing takes seconds, in which a stop must be as clean as later.
            run = _imported(commands)
            code: int = run(typed)
        except KeyboardInterrupt:
            return _stopped(program, typed)
        return code


def _imported(commands: str) -> Callable[[list[str]], int]:
    """The command line. A stop waits until it is imported: libraries swallow what is raised half-way in them, and then
    fail otherwise. A second one does not wait.
    """
    asked: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        if asked:
            interrupt(number, frame)
        asked.append(number)

    with signals_handled(remember):
        run: Callable[[list[str]], int] = importlib.import_module(commands).run
    if asked:
        raise StopRequested
    # What libraries have made stays until the end; walking it again and again takes ten seconds of a large report.
    gc.freeze()
    return run


def _stopped(program: str, typed: Sequence[str]) -> int:
    """Tell how to go on."""
    from sweeps.provenance import command_line, hide_credentials

    print(f"Stopped. Go on with:\n{hide_credentials(shlex.join(command_line(typed, program)))}", file=sys.stderr)
    return UNFINISHED


if __name__ == "__main__":
    sys.exit(main())
