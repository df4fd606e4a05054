"""Plugins in sweeps: chosen by the user, checked, kept below the folder of results, and found there again.

A trial's config names the code of each plugin's regularizer that it uses. Workers are sent that code, and
OUT/plugins/NAME-HASH12.py holds it, so that later launches and reports know exactly what the trials were made with.
"""

import json
import logging
import secrets
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sngan.errors import InputError
from sngan.plugins.checking import refuse_broken
from sngan.plugins.loading import Plugin, code_of, kept_mark, kept_stem, loaded_plugins, use_plugins

logger = logging.getLogger(__name__)
# What the config (JSON) of every trial contains that a plugin took part in.
PLUGIN_MARK = '"code"'


def plugins_folder(out: Path) -> Path:
    """Where the plugins of a folder of results are kept."""
    return out / "plugins"


def refuse_unchecked(out: Path) -> None:
    """Raise InputError for a loaded plugin that breaks the contract; those kept below `out` were checked before."""
    refuse_broken(plugin for plugin in loaded_plugins() if find_kept(out, plugin.code) is None)


def use_with_kept(files: Sequence[Path], out: Path, configs: Iterable[str]) -> tuple[Plugin, ...]:
    """Load the user's plugins, which are returned, and the kept ones that made the trials with these configs (JSON).

    A file that is given wins over kept versions of the same name, of which is warned. What is not found, or can no
    longer be loaded, is warned of and left out: its methods are then shown by their bare names. Raises InputError for
    the user's files.
    """
    given = use_plugins(files)
    used = [plugin.path for plugin in given]
    own = {kept_stem(plugin.path, plugin.code) for plugin in given}
    others: set[str] = set()
    for code in sorted(codes_of(configs) - {plugin.code for plugin in given}):
        path = find_kept(out, code)
        if path is None:
            text = "no plugin with code %s in %s: methods that use it are shown by their bare names"
            logger.warning(text, code, plugins_folder(out))
        elif kept_stem(path, code) not in own:
            used += _loadable(used, path)
        else:
            others.add(kept_stem(path, code))
    for name in sorted(others):
        logger.warning("plugin %s is another version than trials were made with; what is stored of those stays", name)
    return given


def _loadable(used: Sequence[Path], path: Path) -> list[Path]:
    """[path], loaded beside those in use; nothing where that fails."""
    try:
        use_plugins([*used, path])
    except InputError as error:
        logger.warning("a plugin of earlier trials is left out: %s", error)
        use_plugins(used)
        return []
    return [path]


def codes_of(configs: Iterable[str]) -> set[str]:
    """The codes of plugins in the configs (JSON texts) of trials."""
    described = (json.loads(text) for text in configs if PLUGIN_MARK in text)
    return {item["code"] for config in described for item in config["regularizers"] if "code" in item}


def find_kept(out: Path, code: str) -> Path | None:
    """The kept file with exactly this code, or None."""
    files = sorted(plugins_folder(out).glob(f"*{kept_mark(code)}.py"))
    return next((file for file in files if code_of(file.read_bytes()) == code), None)


def keep(out: Path) -> dict[str, bytes]:
    """Write the plugins of this process below `out`, where they are not; return their sources by the files' names."""
    for plugin in loaded_plugins():
        _keep(plugin, plugins_folder(out) / plugin.kept_name)
    return {plugin.kept_name: plugin.source for plugin in loaded_plugins()}


def _keep(plugin: Plugin, path: Path) -> None:
    if not path.exists() or path.read_bytes() != plugin.source:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.unfinished")
        unfinished.write_bytes(plugin.source)
        unfinished.replace(path)


def use_sources(sources: Mapping[str, bytes], folder: Path) -> None:
    """Make these the plugins of this process, from files in a private folder. Raises InputError."""
    folder.mkdir()
    for name, source in sources.items():
        (folder / name).write_bytes(source)
    use_plugins(folder / name for name in sources)


def described() -> dict[str, Any]:
    """What provenance says of the plugins of this process: {"plugins": {kept file: code}}, or nothing."""
    found = {plugin.kept_name: plugin.code for plugin in loaded_plugins()}
    return {"plugins": found} if found else {}
