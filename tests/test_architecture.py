"""The walls of the house: imports go down only, one door per heavy dependency, sizes, no stray names."""

import ast
import functools
import platform
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PACKAGES = ("sngan", "sweeps", "dashboards")
FILES = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
MAY_IMPORT = {"sngan": {"sngan"}, "sweeps": {"sngan", "sweeps"}, "dashboards": set(PACKAGES)}

# dependency -> the files, or folders, that may import it
DOORS = {
    "ray": (
        "sweeps/engine_ray.py",
        "sweeps/ray_cluster.py",
        "sweeps/ray_doctor.py",
        "sweeps/ray_queue.py",
        "sweeps/ray_worker.py",
        "sweeps/clusters/ray_jobs.py",
    ),
    "optuna": ("sweeps/search.py",),
    "mlflow": ("sweeps/tracking",),
    "sqlalchemy": ("sweeps/store",),
    "alembic": ("sweeps/store",),
    "pyarrow": ("sweeps/export.py", "sweeps/object_storage.py"),
    "pytorch_fid": ("sngan/metrics/inception.py",),
    "onnxruntime": ("sngan/metrics/onnx_network.py",),
    "torchvision": ("sngan/datasets/official.py",),
    "sklearn": ("sngan/datasets/digits.py",),
    "altair": ("dashboards/figures",),
    "vl_convert": ("dashboards/figures",),
    "rich": ("sweeps/progress.py", "sweeps/progress_tables.py"),
    "jinja2": ("dashboards/report.py", "dashboards/gallery/page.py", "dashboards/app/markup.py", "sweeps/clusters"),
    "streamlit": ("dashboards/app",),
}


def name_of(file: Path) -> str:
    return str(file.relative_to(ROOT))


@functools.cache
def imported(file: Path) -> frozenset[str]:
    """Every module named in an import statement anywhere in a file, type-checking blocks included."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(modules)


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_imports_go_down_only(file: Path) -> None:
    package = file.relative_to(ROOT).parts[0]
    used = {module.split(".")[0] for module in imported(file)} & set(PACKAGES)
    assert used <= MAY_IMPORT[package]
    if package == "sweeps":
        assert not any(module.split(".")[0] == "torch" for module in imported(file)), "sweeps never imports torch"


@pytest.mark.parametrize("dependency", DOORS)
def test_one_door_per_heavy_dependency(dependency: str) -> None:
    users = [name_of(file) for file in FILES if dependency in {m.split(".")[0] for m in imported(file)}]
    assert users, "a door that nobody uses"
    strangers = [user for user in users if not user.startswith(DOORS[dependency])]
    assert not strangers


def test_no_import_cycles() -> None:
    modules = {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in FILES}
    graph = {name: imported(file) & modules.keys() - {name} for name, file in modules.items()}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name not in done:
            for target in sorted(graph[name]):
                # A package's __init__ re-exports its modules; a module that names its own package is no cycle.
                if not name.startswith(f"{target}."):
                    visit(target, (*path, name))
            done.add(name)

    for name in sorted(graph):
        visit(name, ())


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_files_are_short_and_have_names_that_say_something(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= 350
    assert file.stem not in {"utils", "helpers", "common", "misc"}


def test_no_other_top_level_folders() -> None:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    allowed = {"sngan", "sweeps", "dashboards", "tests", "infra", "runs", "docs", "build", "sngan_robustness.egg-info"}
    assert folders <= allowed


@pytest.mark.skipif(
    (platform.system(), platform.machine(), sys.version_info[:2]) != ("Linux", "x86_64", (3, 11)),
    reason="constraints.txt is the list of Python 3.11 on Linux; elsewhere packages need others",
)
def test_the_constraints_are_what_our_requirements_need_and_nothing_else() -> None:
    ours = "sngan-robustness"
    extras = metadata.metadata(ours).get_all("Provides-Extra") or []
    with_extras: set[tuple[str, str]] = set()
    _require(Requirement(f"{ours}[{','.join(extras)}]"), with_extras)
    needed = {name for name, _ in with_extras} - {ours, "setuptools"}  # that one comes with the environment
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert {canonicalize_name(line.partition("==")[0]) for line in lines if not line.startswith("#")} == needed


def _require(requirement: Requirement, found: set[tuple[str, str]]) -> None:
    """Add the names and extras of a requirement, and of what it requires itself."""
    name = str(canonicalize_name(requirement.name))
    new = {(name, extra) for extra in ("", *requirement.extras)} - found
    found |= new
    for text in metadata.requires(name) or []:
        further = Requirement(text)
        if any(further.marker is None or further.marker.evaluate({"extra": extra}) for _, extra in new):
            _require(further, found)
