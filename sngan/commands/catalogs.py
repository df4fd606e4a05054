"""list, check: what there is, and whether a plugin fits in."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from sngan.commands import options as shared
from sngan.datasets import DATASETS, DatasetEntry
from sngan.losses import LOSSES
from sngan.methods import METHODS, SETTINGS
from sngan.metrics.catalog import METRICS
from sngan.metrics.protocols import PROTOCOLS
from sngan.models import ARCHITECTURES
from sngan.plugins.checking import tell_findings
from sngan.plugins.loading import use_plugins
from sngan.regularizers import REGULARIZERS


@click.command()
@click.argument("plugin", type=shared.GivenPath(), metavar="FILE")
@click.pass_context
def check(context: click.Context, plugin: Path) -> None:
    """Say whether a regularizer of your own keeps the contract, check by check. Exit code 0 if it does, 1 if not.

    Example: python -m sngan check my_regularizer.py
    """
    context.exit(0 if tell_findings(plugin, click.echo) else 1)


@click.command("list")
@shared.plugins
def list_catalogs(plugins: tuple[Path, ...]) -> None:
    """Print every method, setting, data set, architecture, loss, regularizer, metric and protocol.

    Example: python -m sngan list
    """
    use_plugins(plugins)
    _section("methods", {name: f"{entry.label}. {entry.source}" for name, entry in METHODS.items()})
    _section(
        "settings",
        {
            name: f"alpha {s.alpha:g}, beta1 {s.beta1:g}, beta2 {s.beta2:g}, n_dis {s.n_dis} ({s.origin})"
            for name, s in SETTINGS.items()
        },
    )
    _section(
        "data sets",
        {name: _about(entry) for name, entry in DATASETS.items()},
    )
    _section("architectures", {name: entry.description for name, entry in ARCHITECTURES.items()})
    _section("losses", {name: entry.equation for name, entry in LOSSES.items()})
    _section(
        "regularizers",
        {
            name: f"{_summary(entry)} Fields: {', '.join(f.name for f in fields(entry)) or 'none'}."
            for name, entry in REGULARIZERS.items()
        },
    )
    _section("metrics", {name: f"{entry.label}. {entry.meaning}" for name, entry in METRICS.items()})
    _section("protocols", {name: entry.usage for name, entry in PROTOCOLS.items()})


def _section(title: str, rows: dict[str, str]) -> None:
    click.secho(title, bold=True)
    width = max(map(len, rows))
    for name, text in rows.items():
        click.echo(f"  {name:<{width}}  {text}")
    click.echo()


def _about(entry: DatasetEntry) -> str:
    """What a data set holds, where its files come from and what it takes on the disk."""
    files = {0: "bundled", None: "needs --data-dir"}.get(entry.download_mb, f"{entry.download_mb} MB download")
    counts = ", ".join(f"{name} {num}" for name, num in entry.num_images.items())
    labels = f", {entry.num_classes} classes" if entry.num_classes else ""
    room = f"{entry.prepared_bytes / 1e6:.0f} MB" if entry.prepared_bytes >= 1e6 else "less than 1 MB"
    return f"{entry.image_size} pixels, {counts}{labels}; {files}, {room} prepared. {entry.source}"


def _summary(entry: Callable[..., Any]) -> str:
    return " ".join((entry.__doc__ or "").split("\n\n")[0].split())
