"""What travels with a job to machines that have nothing of this project: its code, and a list of what it needs."""

import importlib.util
import shutil
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

from sngan.errors import InputError
from sweeps import provenance

PACKAGES = ("sngan", "sweeps", "dashboards")
# Extras that no trial needs.
_NOT_FOR_TRIALS = {"dev", "ray-jobs"}


def copy_project(folder: Path) -> None:
    """Put the code that runs here into `folder`, with its data files, its version, and the commit that it is of."""
    for name in PACKAGES:
        found = importlib.util.find_spec(name)
        assert found is not None
        assert found.origin is not None
        shutil.copytree(Path(found.origin).parent, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    provenance.carry_git_state(folder / "sweeps")
    here = _distribution()
    if here is not None:
        about = folder / f"{provenance.PACKAGE.replace('-', '_')}-{here.version}.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(here.read_text("METADATA") or here.read_text("PKG-INFO") or "")


def plugin_names(files: Sequence[Path]) -> list[str]:
    """Where `copy_plugins` puts each of these files; a file's name is part of what its trials are known by."""
    return [f"plugins/{number}/{file.name}" for number, file in enumerate(files)]


def copy_plugins(files: Sequence[Path], folder: Path) -> None:
    """Put a user's plugins into `folder`."""
    for file, name in zip(files, plugin_names(files), strict=True):
        (folder / name).parent.mkdir(parents=True)
        shutil.copyfile(file.expanduser(), folder / name)


def pinned_requirements() -> list[str]:
    """What this project needs, at the versions that are here, as pip reads it: ["numpy==2.4.6", ...].

    With those extras that are installed. Ray is named by the range that is possible: a cluster keeps its own.
    Raises InputError where the project itself was never installed, so that nobody knows what it needs.
    """
    here = _distribution()
    if here is None:
        raise InputError("--install: what this project needs is known where it is installed: pip install .")
    stated = [Requirement(text) for text in here.requires or ()]
    extras = set(here.metadata.get_all("Provides-Extra") or ()) - _NOT_FOR_TRIALS
    return sorted({_pinned(requirement) for requirement in _wanted(stated, extras)}, key=str.lower)


def _distribution() -> metadata.Distribution | None:
    try:
        return metadata.distribution(provenance.PACKAGE)
    except metadata.PackageNotFoundError:
        return None


def _wanted(stated: Sequence[Requirement], extras: Iterable[str]) -> Iterator[Requirement]:
    """The requirements of the project, and those of each extra of which all is installed."""
    always = [requirement for requirement in stated if _asked(requirement, "")]
    yield from always
    for extra in extras:
        more = [requirement for requirement in stated if requirement not in always and _asked(requirement, extra)]
        if all(_version(requirement) for requirement in more):
            yield from more


def _asked(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _version(requirement: Requirement) -> str | None:
    try:
        return metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return None


def _pinned(requirement: Requirement) -> str:
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    found = _version(requirement)
    if requirement.name == "ray" or found is None:
        return f"{requirement.name}{extras}{requirement.specifier}"
    return f"{requirement.name}{extras}=={Version(found).public}"  # builds such as +cu130 are not in the index
