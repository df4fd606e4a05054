"""Loads plugins: a user's own Python files, run with the user's rights like any other program of theirs.

What runs is exactly the bytes whose SHA-256 stands in the configs of the plugin's trials: no cached byte code, and no
further files of the user's, which that hash would not speak for.
"""

import ast
import hashlib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from sngan.errors import InputError, line_in, one_line
from sngan.methods import METHODS
from sngan.regularizers import REGULARIZERS
from sngan.seeding import global_random_states

CODE_DIGITS = 16  # of the SHA-256, in configs
_KEPT_DIGITS = 12  # of them, in the names of kept files
_MAY_IMPORT = {"torch", "numpy", "scipy", "sngan", *sys.stdlib_module_names}
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_RESERVED = frozenset({"name", "code", "loss"})


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """A loaded file. regularizers, methods : the names that it has added to the catalogs."""

    path: Path
    source: bytes
    regularizers: tuple[str, ...]
    methods: tuple[str, ...]

    @property
    def code(self) -> str:
        """What stands for the file in configs: 16 hex digits of its SHA-256."""
        return code_of(self.source)

    @property
    def kept_name(self) -> str:
        """NAME-HASH12.py, the file's name where it is kept; a kept file's is its own."""
        return f"{kept_stem(self.path, self.code)}{kept_mark(self.code)}.py"


_loaded: dict[str, Plugin] = {}  # by code: a process has one catalog


def code_of(source: bytes) -> str:
    """16 hex digits of the SHA-256 of a file's content."""
    return hashlib.sha256(source).hexdigest()[:CODE_DIGITS]


def kept_mark(code: str) -> str:
    """How the names of kept files with this code end, before ".py"."""
    return f"-{code[:_KEPT_DIGITS]}"


def kept_stem(path: Path, code: str) -> str:
    """NAME, of a user's NAME.py as of a kept NAME-HASH12.py."""
    return path.stem.removesuffix(kept_mark(code))


def loaded_plugins() -> tuple[Plugin, ...]:
    """The plugins of this process, in the order in which they were loaded."""
    return tuple(_loaded.values())


def use_plugins(files: Iterable[Path]) -> tuple[Plugin, ...]:
    """Make the plugins in `files` the plugins of this process and forget all others; each content once.

    Raises InputError, in one or two lines with file and line number, for a file that cannot be read or imported, that
    defines nothing, takes a name that is taken, or reaches for the process's global state. Then none is loaded.
    """
    wanted: dict[str, tuple[Path, bytes]] = {}
    for file in files:
        path = file.expanduser().absolute()
        source = _read(path)
        wanted.setdefault(code_of(source), (path, source))
    for code in _loaded.keys() - wanted.keys():
        _forget(code)
    try:
        for code, (path, source) in wanted.items():
            if code not in _loaded:
                _loaded[code] = _load(path, source)
    except BaseException:
        for code in tuple(_loaded):
            _forget(code)
        raise
    return tuple(_loaded[code] for code in wanted)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = "it is a folder" if path.is_dir() else error.strerror or error
        raise InputError(f"cannot read the plugin {path}: {reason}.") from None


def _forget(code: str) -> None:
    plugin = _loaded.pop(code)
    _remove(plugin.regularizers, plugin.methods, _module_name(code))


def _remove(regularizers: Iterable[str], methods: Iterable[str], module: str) -> None:
    for name in regularizers:
        REGULARIZERS.remove(name)
    for name in methods:
        METHODS.remove(name)
    sys.modules.pop(module, None)


def _module_name(code: str) -> str:
    return f"sngan_plugin_{code}"


def _load(path: Path, source: bytes) -> Plugin:
    """Run the file; what it added to the catalogs is its own, and is taken out again where it is refused."""
    code = code_of(source)
    module = ModuleType(_module_name(code))
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses look their types up there
    known = set(REGULARIZERS), set(METHODS)
    try:
        with told(path), _global_state_kept():
            tree = ast.parse(source, str(path))
            _refuse_imports(path, tree)
            exec(compile(tree, str(path), "exec", dont_inherit=True), module.__dict__)  # noqa: S102 (this is loading)
        plugin = Plugin(
            path=path,
            source=source,
            regularizers=tuple(name for name in REGULARIZERS if name not in known[0]),
            methods=tuple(name for name in METHODS if name not in known[1]),
        )
        _check_registered(plugin, module)
    except BaseException:
        _remove(set(REGULARIZERS) - known[0], set(METHODS) - known[1], module.__name__)
        raise
    for name in plugin.regularizers:
        REGULARIZERS[name].code = code
    return plugin


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turns whatever a plugin's code raises into an InputError of one or two lines: file, line, error."""
    try:
        yield
    except (Exception, SystemExit) as error:
        line = line_in(error, str(path))
        where = "" if line is None else f", line {line}"
        raise InputError(f"plugin {path}{where}: {_reason(error)}.") from None


def _reason(error: BaseException) -> str:
    """What went wrong, without the place and without a full stop."""
    if isinstance(error, InputError):
        return str(error).removesuffix(".")
    if isinstance(error, SyntaxError):
        return error.msg if isinstance(error, _ForbiddenImportError) else f"SyntaxError: {error.msg}"
    return one_line(error).removesuffix(".")


class _ForbiddenImportError(SyntaxError):
    """Python as such is content with the line."""


def _refuse_imports(path: Path, tree: ast.Module) -> None:
    """A plugin is one file: what it took from others of the user's would change without changing its hash."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            names = ["." * node.level + (node.module or "")]
        for name in names:
            if name.partition(".")[0] not in _MAY_IMPORT:
                raise _ForbiddenImportError(
                    f"imports {name!r}; a plugin is one file that may import torch, numpy, scipy, sngan and the "
                    "standard library",
                    (str(path), node.lineno, None, None),
                )


@contextmanager
def _global_state_kept() -> Iterator[None]:
    """Refuses what would change other trials of this process, or differ from one process to the next."""
    before, dtype = _global_state(), torch.get_default_dtype()
    yield
    after = _global_state()
    torch.set_default_dtype(dtype)
    for name, value in before.items():
        if after[name] != value:
            raise InputError(f"{name} was drawn from or set while the file was imported; draw from the streams given")


def _global_state() -> Mapping[str, Any]:
    random = {f"the global generator of {name}": state for name, state in global_random_states().items()}
    return {**random, "torch's default dtype": torch.get_default_dtype()}


def _check_registered(plugin: Plugin, module: ModuleType) -> None:
    """Refuse a file that adds nothing, or names that cannot be typed or written into a config."""
    if not plugin.regularizers and not plugin.methods:
        raise InputError(
            f"plugin {plugin.path} registers nothing.\n"
            'It needs @register("NAME") above a regularizer, and add_method("NAME", ...) to compare it.'
        )
    if not plugin.methods:
        first = REGULARIZERS[plugin.regularizers[0]].__name__
        raise InputError(
            f"plugin {plugin.path} defines no method, so nothing would compare {', '.join(plugin.regularizers)}.\n"
            f'Add a line such as add_method("{plugin.regularizers[0]}", {first}()).'
        )
    for name in (*plugin.regularizers, *plugin.methods):
        if not _NAME.fullmatch(name):
            raise InputError(
                f"plugin {plugin.path}: the name {name!r} cannot be used.\n"
                "Allowed: small letters, digits and single hyphens, such as 'my-regularizer'."
            )
    for name in plugin.regularizers:
        cls = REGULARIZERS[name]
        if cls.__module__ != module.__name__:
            raise InputError(f"plugin {plugin.path}: {cls.__name__} is not defined in the file; make a subclass of it.")
        reserved = {field.name for field in fields(cls)} & _RESERVED
        if reserved:
            raise InputError(f"plugin {plugin.path}: {cls.__name__} must not have a field called {min(reserved)!r}.")
