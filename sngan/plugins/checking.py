"""Whether loaded plugins keep the contract."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sngan.contract import checks_of, problem
from sngan.errors import InputError
from sngan.methods import METHODS, Method
from sngan.plugins.loading import Plugin, use_plugins
from sngan.regularizers import REGULARIZERS, Regularizer


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What came of one check. subject : "regularizer r2" or "method r2". problem : "" where the promise is kept."""

    subject: str
    promise: str
    problem: str


def findings(plugin: Plugin) -> Iterator[Finding]:
    """Every check of every regularizer and method of a loaded plugin, one after the other; seconds for each method.

    Where a regularizer fails, its methods are not trained: they would tell the same again.
    """
    sound = True
    for name in plugin.regularizers:
        for finding in _of(f"regularizer {name}", _default(name)):
            sound &= not finding.problem
            yield finding
    for name in plugin.methods if sound else ():
        yield from _of(f"method {name}", METHODS[name])


def refuse_broken(plugins: Iterable[Plugin]) -> None:
    """Raise InputError, with the first broken promise, unless every plugin keeps the contract."""
    for plugin in plugins:
        for found in findings(plugin):
            if found.problem:
                end = "" if found.problem.endswith("?") else "."
                raise InputError(
                    f"plugin {plugin.path} is refused: {found.subject} breaks the promise that it {found.promise}:\n"
                    f"{found.problem}{end} All checks: python -m sngan check {plugin.path}"
                )


def tell_findings(file: Path, say: Callable[[str], object]) -> bool:
    """Load and check a plugin, saying line by line what passed and what failed; whether all passed."""
    try:
        (plugin,) = use_plugins([file])
    except InputError as error:
        say(f"FAILED  {error}")
        return False
    say(f"{plugin.path.name} with code {plugin.code}")
    subject, problems = "", []
    for found in findings(plugin):
        if found.subject != subject:
            subject = found.subject
            say(subject)
        told = "as above" if found.problem in problems else found.problem
        say(f"  FAILED  {found.promise}: {told}" if found.problem else f"  ok      {found.promise}")
        problems.append(found.problem)
    say(f"{problems.count('')} of {len(problems)} checks passed")
    return not any(problems)


def _of(name: str, subject: Regularizer | Method | str) -> Iterator[Finding]:
    if isinstance(subject, str):
        yield Finding(subject=name, promise="can be made without arguments", problem=subject)
        return
    for check in checks_of(subject).values():
        yield Finding(subject=name, promise=check.promise, problem=problem(check, subject))


def _default(name: str) -> Regularizer | str:
    """The regularizer with the defaults of all its fields, or why there is none."""
    try:
        return REGULARIZERS[name]()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
