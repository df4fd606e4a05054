"""python -m sweeps.launch: runs studies, and shows, exports and compares their results."""

import importlib
import shlex
import sys
from collections.abc import Sequence

from sweeps.signals import UNFINISHED, interrupt, signals_handled


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    typed = list(sys.argv[1:] if arguments is None else arguments)
    with signals_handled(interrupt):
        try:
            # Importing takes seconds, in which a stop must be as clean as later.
            code: int = importlib.import_module("sweeps.commands.line").run(typed)
        except KeyboardInterrupt:
            return _stopped(typed)
        return code


def _stopped(typed: Sequence[str]) -> int:
    """Tell how to go on."""
    from sweeps.provenance import command_line, hide_credentials

    print(f"Stopped. Go on with:\n{hide_credentials(shlex.join(command_line(typed)))}", file=sys.stderr)
    return UNFINISHED


if __name__ == "__main__":
    sys.exit(main())
