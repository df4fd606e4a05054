"""Errors that a user caused and can mend: one or two lines, never a traceback."""

import traceback
from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """A wrong name, value, file or folder; its text says what was wrong and what is allowed."""


def unknown(kind: str, name: object, known: Iterable[str]) -> InputError:
    """The error for a name that is not in `known`: the bad value, the nearest match, all that is allowed."""
    names = sorted(known)
    lower = {known_name.lower(): known_name for known_name in names}
    near = get_close_matches(str(name).lower(), lower, n=1, cutoff=0.5)
    hint = f" Did you mean {lower[near[0]]!r}?" if near else ""
    return InputError(f"unknown {kind} {str(name)!r}.{hint}\nKnown: {', '.join(names) or 'none'}.")


def one_line(error: BaseException, limit: int = 300) -> str:
    """An exception as a single line of at most `limit` characters, for logs and tables."""
    text = " ".join(str(error).split()) or type(error).__name__
    text = text if isinstance(error, InputError) else f"{type(error).__name__}: {text}"
    return text if len(text) <= limit else text[: limit - 1] + "…"


def line_in(error: BaseException, file: str) -> int | None:
    """The line of `file` in which an exception came up, the innermost one; None where it came from elsewhere."""
    if isinstance(error, SyntaxError) and error.filename == file:
        return error.lineno
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return lines[-1] if lines else None
