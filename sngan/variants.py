"""Names that vary an entry of a catalog: "NAME(FIELD=VALUE, ...)" is NAME with other values in these fields."""

import math
import re
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import TypeVar

from sngan.errors import InputError
from sngan.registry import Registry

T = TypeVar("T")

_VARIED = re.compile(r"([A-Za-z0-9-]+)\((.*)\)")


def varied(name: str) -> tuple[str, dict[str, str]]:
    """The entry behind a name, and the fields that the name varies: ("bssn", {"factor": "1.4"}), ("sn", {}).

    Raises InputError for what is no list of FIELD=VALUE.
    """
    found = _VARIED.fullmatch(name.replace(" ", ""))
    if found is None:
        if "(" in name:
            raise InputError(f"{name!r} is no variation: it does not end with one ')'.\nThe form is NAME(FIELD=VALUE).")
        return name, {}
    parts = [_assignment(part, name) for part in found[2].split(",")]
    changes = dict(parts)
    if len(changes) < len(parts):
        raise InputError(f"{name!r} gives a field twice.\nThe form is NAME(FIELD=VALUE), each field once.")
    return found[1], changes


def varied_number(name: str) -> tuple[str, str, float] | None:
    """The entry behind a name, the one field that it varies and the number there; None where it is not one number."""
    entry, changes = varied(name)
    if len(changes) != 1:
        return None
    (key, text), *_ = changes.items()
    number = _as_number(text)
    return (entry, key, number) if math.isfinite(number) else None


def varied_name(entry: str, changes: Mapping[str, object]) -> str:
    """The one name of an entry with these values in these fields."""
    return f"{entry}({','.join(f'{key}={written(value)}' for key, value in changes.items())})"


def written(value: object) -> str:
    """A value in a name: short, and such that reading it gives the same value."""
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return str(value).lower()


class Varied(Registry[T]):
    """A catalog that also answers to varied names. Iterating gives the entries as they are defined."""

    @abstractmethod
    def vary(self, entry: T, changes: Mapping[str, str]) -> T:
        """The entry with other values in these fields. Raises InputError for what cannot be varied so."""

    def __getitem__(self, name: str) -> T:
        """The entry of that name, varied where the name says so. Raises InputError for what does not exist."""
        defined, changes = varied(name)
        entry = super().__getitem__(defined)
        return self.vary(entry, changes) if changes else entry

    def __contains__(self, name: object) -> bool:
        """Whether `self[name]` exists."""
        try:
            return isinstance(name, str) and bool(self[name])
        except InputError:
            return False

    def ordered(self, names: Iterable[object]) -> tuple[str, ...]:
        """The distinct names as tables show them: in the catalog's order, variants by value, unknown ones last."""
        place = {name: number for number, name in enumerate(self)}

        def key(name: str) -> tuple[int, list[tuple[str, float, str]], str]:
            if name not in self:
                return len(place), [], name
            entry, changes = varied(name)
            return place[entry], [(field, _as_number(text), text) for field, text in changes.items()], name

        return tuple(sorted({str(name) for name in names}, key=key))


def _as_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.inf


def _assignment(part: str, name: str) -> tuple[str, str]:
    key, separator, value = part.partition("=")
    if not (key and separator and value):
        raise InputError(f"{name!r} is no variation.\nThe form is NAME(FIELD=VALUE), fields with commas.")
    return key, value
