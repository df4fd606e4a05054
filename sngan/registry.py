"""Named entries. A duplicate is refused, an unknown name is answered with the nearest known one."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from sngan.errors import InputError, unknown

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """A read-only mapping from name to entry, in the order of registration.

    Parameters
    ----------
    kind : what an entry is, for messages ("method", "data set").
    package : if given, every module of this package is imported before the first look-up, so that
        one new file in it is a new entry.
    """

    def __init__(self, kind: str, package: str | None = None) -> None:
        self.kind = kind
        self._package = package
        self._entries: dict[str, T] = {}

    def add(self, name: str, entry: T) -> T:
        """Register `entry` and return it. Raises InputError when the name is taken."""
        if name in self._entries:
            raise InputError(f"{self.kind} {name!r} exists already; choose another name.")
        self._entries[name] = entry
        return entry

    def remove(self, name: str) -> None:
        """Forget an entry that is there: what a plugin has added goes with it."""
        del self._entries[name]

    def _discover(self) -> None:
        package, self._package = self._package, None
        if package is not None:
            path = importlib.import_module(package).__path__
            for module in sorted(pkgutil.iter_modules(path), key=lambda module: module.name):
                importlib.import_module(f"{package}.{module.name}")

    def __getitem__(self, name: str) -> T:
        self._discover()
        if name not in self._entries:
            raise unknown(self.kind, name, self._entries)
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        self._discover()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        self._discover()
        return iter(self._entries)

    def __len__(self) -> int:
        self._discover()
        return len(self._entries)
