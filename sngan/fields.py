"""Strict decoding of plain dictionaries into frozen dataclasses, and back.

A misspelt key, a value of the wrong type or a choice that does not exist is an InputError which names the nearest
allowed one. Numbers are coerced by the field's type, so that 3 and 3.0 have the same digest.
"""

import dataclasses
import math
import types
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from sngan.errors import InputError, unknown

T = TypeVar("T")


def field_types(cls: type) -> dict[str, Any]:
    """Name -> resolved type of every field that takes part in __init__."""
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls) if field.init}


def decode(cls: type[T], data: Mapping[str, Any], where: str) -> T:
    """Build `cls` from `data`, coercing by type. `where` names the place in messages ("config")."""
    known = field_types(cls)
    for key in data:
        if key not in known:
            raise unknown(f"{where} key", key, known)
    values = {key: coerce(known[key], value, f"{where}.{key}") for key, value in data.items()}
    try:
        return cls(**values)
    except TypeError as error:
        raise InputError(f"{where}: {error}") from None


def assignments(pairs: Iterable[str], prefix: str = "") -> dict[str, str]:
    """{"updates": "30"} of ["updates=30"], or of ["config.updates=30"] with the prefix "config.".

    Raises InputError for anything else, and for a key that is given twice.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        name, separator, value = (part.strip() for part in pair.partition("="))
        key = name.removeprefix(prefix)
        if not separator or not name.startswith(prefix) or not key:
            raise InputError(f"--set {pair!r} is not of the form {prefix}KEY=VALUE, such as {prefix}batch_size=32.")
        if key in found:
            raise InputError(f"{name} is given twice: {found[key]!r} and {value!r}; give it once.")
        found[key] = value
    return found


def coerce(kind: Any, value: Any, where: str) -> Any:
    """`value` as `kind` (bool, int, float, str, Literal, X | None, tuple[X, ...]), or an InputError."""
    origin = get_origin(kind)
    if origin is Literal:
        return _choice(get_args(kind), value, where)
    if origin is tuple:
        items = value.split(",") if isinstance(value, str) else value
        return tuple(coerce(get_args(kind)[0], item, where) for item in items)
    if origin in (Union, types.UnionType):
        if value is None or value == "none":
            return None
        return coerce(next(arg for arg in get_args(kind) if arg is not type(None)), value, where)
    return _scalar(kind, value, where)


def _choice(choices: tuple[Any, ...], value: Any, where: str) -> Any:
    if value not in choices:
        raise unknown(f"value of {where}:", value, map(str, choices))
    return value


def _scalar(kind: Any, value: Any, where: str) -> Any:
    wrong = InputError(f"{where} must be of type {getattr(kind, '__name__', kind)}, not {value!r}.")
    if kind is bool:
        named = {"true": True, "false": False}
        value = named.get(value.lower(), value) if isinstance(value, str) else value
        if not isinstance(value, bool):
            raise wrong
        return value
    if kind in (int, float):
        return _number(kind, value, where, wrong)
    if kind is str and isinstance(value, str):
        return value
    raise wrong


def _number(kind: type, value: Any, where: str, wrong: InputError) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise wrong
    try:
        number = float(value)
    except ValueError:
        raise wrong from None
    if not math.isfinite(number):
        raise InputError(f"{where} must be a finite number, not {value!r}.")
    if kind is int and not number.is_integer():
        raise wrong
    return int(number) if kind is int else number


def require(condition: bool, where: str, value: object, allowed: str) -> None:
    """Raise an InputError that names the field, its bad value and the allowed ones unless `condition` holds."""
    if not condition:
        raise InputError(f"{where} is {value!r}; allowed: {allowed}.")
