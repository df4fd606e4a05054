"""python -m sngan: train, measure and look at single trials, and prepare what they need."""

import logging
import os
import sys
from collections.abc import Sequence

import click

from sngan.commands.catalogs import check, list_catalogs
from sngan.commands.data import floor, prepare
from sngan.commands.trials import evaluate, show, train
from sngan.commands.usage import tell_usage
from sngan.errors import InputError, one_line

UNFINISHED = 75  # the exit code of what was stopped and can be started again


@click.group()
def main() -> None:
    """Train and measure one GAN at a time.

    Example: python -m sngan train --method sn --setting C --updates 500
    """


for _command in (train, evaluate, show, prepare, floor, check, list_catalogs):
    main.add_command(_command)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code. A user's mistake is told in one or two lines on standard error.

    arguments : sys.argv[1:] unless given.
    """
    logging.basicConfig(format="%(levelname)s: %(message)s")
    try:
        return int(main(arguments, prog_name="python -m sngan", standalone_mode=False) or 0)
    except (KeyboardInterrupt, click.Abort):
        click.echo("stopped; the same command goes on from the last checkpoint", err=True)
        return UNFINISHED
    except click.ClickException as error:
        return tell_usage(error)
    except InputError as error:
        click.echo(f"error: {error}", err=True)
        return 2
    except Exception as error:
        if os.environ.get("SNGAN_DEBUG"):
            raise
        click.echo(f"internal error: {one_line(error)}\nSNGAN_DEBUG=1 shows where.", err=True)
        return 1


if __name__ == "__main__":
    sys.exit(run())
