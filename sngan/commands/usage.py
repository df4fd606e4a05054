"""What is wrong in a command line, told as all mistakes are."""

import click
from click.exceptions import NoArgsIsHelpError


def tell_usage(error: click.ClickException) -> int:
    """Tell what Click found wrong, and where help is, in two lines on standard error; return the exit code."""
    if isinstance(error, NoArgsIsHelpError):
        error.show()
        return error.exit_code
    click.echo(f"error: {error.format_message()}", err=True)
    if isinstance(error, click.UsageError) and error.ctx is not None:
        click.echo(f"{error.ctx.command_path} --help says what there is.", err=True)
    return error.exit_code
