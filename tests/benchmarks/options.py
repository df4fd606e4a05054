"""What benchmarks are asked on their command lines: sizes, the data that some of them need, and where results go."""

import argparse
import os
import shlex
import sys
from pathlib import Path

# Option -> the variable that names it where the option does not, and what it is.
PLACES = {
    "--cifar10": ("SNGAN_TEST_CIFAR10", "folder with CIFAR-10's official files"),
    "--inception": ("SNGAN_TEST_INCEPTION", "weights file of FID's Inception network"),
}


def parser(doc: str | None, *places: str) -> argparse.ArgumentParser:
    """A parser with --smoke, and with those of PLACES that the benchmark needs."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--smoke", action="store_true", help="the smallest size, to see that it runs; nothing is kept")
    for option in places:
        variable, what = PLACES[option]
        default = Path(os.environ[variable]) if os.environ.get(variable) else None
        made.add_argument(option, type=Path, default=default, help=f"{what} (else {variable})")
    return made


def parsed(made: argparse.ArgumentParser) -> argparse.Namespace:
    """The command line. Leaves with one line where a place is not given or not there.

    A smoke run without the place ends well: it says what it left out.
    """
    arguments = made.parse_args()
    for option, (variable, what) in PLACES.items():
        place = getattr(arguments, option[2:], ...)
        if place is ... or (place is not None and place.exists()):
            continue
        line = f"needs the {what}: give {option} or set {variable}"
        line += "" if place is None else f" ({place} is not there)"
        if arguments.smoke:
            print(f"left out: {line}")
        sys.exit(0 if arguments.smoke else line)
    return arguments


def command(module: str | None = None) -> str:
    """The command line of this run, as it can be typed again."""
    spec = sys.modules["__main__"].__spec__
    return shlex.join(["python", "-m", module or (spec.name if spec else sys.argv[0]), *sys.argv[1:]])
