"""Options that several commands share, and what they mean together."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from sngan.commands.options import GivenPath
from sngan.errors import InputError, unknown
from sngan.places import default_cache_dir
from sngan.results import RunOptions
from sweeps.plugins import PLUGIN_MARK, plugins_folder, use_with_kept
from sweeps.provenance import NOTIFY, hide_credentials, out_words
from sweeps.store import ResultStore, open_store
from sweeps.study import STUDIES, Preset, Study
from sweeps.variation import is_shortened, launched_changes, parse_overrides, vary
from sweeps.webhooks import VARIABLE, Address, check_address

Command = TypeVar("Command", bound=Callable[..., Any])

study_argument = click.argument("study", metavar="STUDY")
debug_option = click.option(
    "--debug", is_flag=True, expose_value=False, help="Show the traceback of an internal error."
)
preset_option = click.option(
    "--preset", help="Scale of the study; its --help describes them.  [default: the study's first]", metavar="NAME"
)
set_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="config.KEY=VALUE",
    help="Change a field of every trial's config (repeatable). The results are kept apart, under their own label.",
)
out_option = click.option(
    "--out",
    type=GivenPath(),
    default=Path("runs"),
    show_default=True,
    help="Folder of results: database, checkpoints, image grids, reports.",
)
_plugins = click.option(
    "--plugin",
    "plugins",
    type=GivenPath(),
    multiple=True,
    metavar="FILE",
    help="Python file with regularizers and methods of your own (repeatable). It runs with your rights.",
)


def not_empty(_context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Callback of options that take a URL: the value. Raises InputError for an empty text."""
    if value is not None and not value.strip():
        raise InputError(f"{parameter.opts[0]} is empty; give a URL, or leave it out.")
    return value


_database = click.option(
    "--database", metavar="URL", callback=not_empty, help="Results database.  [default: OUT/results.db]"
)


_data_dir = click.option("--data-dir", type=GivenPath(), metavar="DIR", help="Folder with a data set's official files.")
_inception_weights = click.option(
    "--inception-weights", type=GivenPath(), metavar="FILE", help="Weights of the Inception network."
)
_cache_dir = click.option(
    "--cache-dir",
    type=GivenPath(),
    default=default_cache_dir,
    show_default="~/.cache/sngan",
    help="Prepared data sets and reference statistics.",
)


storage_option = click.option(
    "--storage",
    metavar="URL",
    callback=not_empty,
    help="Checkpoints and image grids: s3://BUCKET/FOLDER, gs://, abfs://, hdfs://, or a folder that all machines see. "
    "They need not see OUT then.  [default: OUT]",
)


def _addresses(_context: click.Context, _parameter: click.Parameter, given: Sequence[str]) -> tuple[Address, ...]:
    """Callback: where notifications go, each address once. Raises InputError for what is no address of a webhook."""
    return tuple(dict.fromkeys(check_address(text) for text in given))


notify_option = click.option(
    NOTIFY,
    multiple=True,
    metavar="URL",
    envvar=VARIABLE,
    show_envvar=True,
    callback=_addresses,
    help="Webhook that is told when the launch is done or unfinished, a verdict falls, or trials are in trouble "
    "(repeatable). The URL is a secret: others can read the command lines of processes, but not their environment.",
)


def input_options(command: Command) -> Command:
    """Decorator: --data-dir, --inception-weights and --cache-dir."""
    for option in (_cache_dir, _inception_weights, _data_dir):
        command = option(command)
    return command


def place_options(command: Command) -> Command:
    """Decorator: --preset, --set, --plugin, --out, --database and --debug."""
    for option in (debug_option, _database, out_option, _plugins, set_option, preset_option):
        command = option(command)
    return command


@dataclass(frozen=True, kw_only=True)
class Place:
    """What the place options say. study : holds `preset` alone. out : absolute. database : URL. plugins : files."""

    study: Study
    preset: Preset
    out: Path
    database: str
    plugins: tuple[Path, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """What the store's methods take."""
        return self.study.name, self.preset.name

    def open(self) -> ResultStore:
        """The existing store, with the plugins loaded that made its trials.

        Raises InputError where there is none, or this study was never launched.
        """
        store = open_store(self.database, create=False)
        if not store.states(*self.key):
            launched = ", ".join(f"{row.study} --preset {row.preset}" for row in store.studies().itertuples())
            store.close()
            raise InputError(
                f"{self.key[0]} with preset {self.key[1]} was never launched here ({self.out}).\n"
                f"Launched: {launched or 'nothing'}."
            )
        try:
            use_with_kept(self.plugins, self.out, store.configs_with(*self.key, PLUGIN_MARK))
        except InputError:
            store.close()
            raise
        return store

    def stored_configs(self) -> list[str]:
        """The configs with plugins of the study's trials as JSON, for a launch that may have to find them again."""
        if not plugins_folder(self.out).is_dir():
            return []
        try:
            with open_store(self.database, create=False) as store:
                return list(store.configs_with(*self.key, PLUGIN_MARK))
        except InputError:
            return []  # nothing is stored yet; anything else the launch itself will tell


def find_place(
    study: str,
    preset: str | None,
    overrides: tuple[str, ...],
    out: Path,
    database: str | None,
    plugins: tuple[Path, ...] = (),
) -> Place:
    """The Place that options name. Raises InputError for unknown names, with the nearest match."""
    found = STUDIES[study]
    absolute = out.expanduser().absolute()
    url = database or database_url(absolute)
    name = preset or next(iter(found.presets))
    changes: dict[str, Any] = {**parse_overrides(overrides)}
    if is_shortened(name):
        changes = {**_stored_changes(study, name, url), **changes}
        name, *_ = name.split("+")
    varied = vary(found, name, changes)
    return Place(
        study=varied,
        preset=next(iter(varied.presets.values())),
        out=absolute,
        database=url,
        plugins=plugins,
    )


def _stored_changes(study: str, label: str, database: str) -> dict[str, Any]:
    """The changed config fields behind a shortened label, from where it was launched."""
    with open_store(database, create=False) as store:
        rows = store.studies()
    descriptions = rows[(rows["study"] == study) & (rows["preset"] == label)]["description"]
    if descriptions.empty:
        known = rows[rows["study"] == study]["preset"]
        raise unknown(f"shortened label of study {study!r} here:", label, filter(is_shortened, known))
    return launched_changes(json.loads(descriptions.iloc[0]))


def database_url(out: Path) -> str:
    """The database of a folder of results."""
    return f"sqlite:///{out.expanduser().absolute() / 'results.db'}"


def place_words(out: Path, database: str) -> list[str]:
    """The options that name a place to a command, without a password; none for what it takes unless told."""
    return [*out_words(out), *(["--database", hide_credentials(database)] if database != database_url(out) else [])]


def split_names(text: str | None, what: str) -> list[str] | None:
    """["sn", "wgan-gp"] of "sn,wgan-gp", each once; None where nothing was said.

    Commas in parentheses belong to a name: a varied method may change several fields.
    """
    if text is None:
        return None
    names = list(dict.fromkeys(name.strip() for name in re.split(r",(?![^(]*\))", text) if name.strip()))
    if not names:
        raise InputError(f"--{what} is empty; give names with commas between them, or leave it out.")
    return names


def run_options(*, cache_dir: Path, data_dir: Path | None, inception_weights: Path | None, **more: Any) -> RunOptions:
    """What the input options mean, with absolute paths; `more` : other fields. Raises InputError for a missing file."""
    return RunOptions(
        cache_dir=cache_dir.expanduser().absolute(),
        data_dir=_existing(data_dir, "--data-dir"),
        inception_weights=_existing(inception_weights, "--inception-weights"),
        **more,
    )


def _existing(path: Path | None, option: str) -> Path | None:
    if path is None:
        return None
    absolute = path.expanduser().absolute()
    if not absolute.exists():
        raise InputError(f"{option}: {absolute} does not exist.")
    return absolute
