"""The pages stay in step with the code: their links, paths, commands and options, names and generated parts."""

import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import click
import pytest
import yaml

from dashboards.app.command import app
from dashboards.app.menu import PAGES as APP_PAGES
from dashboards.figures import FIGURES
from dashboards.gallery.__main__ import gallery
from sngan.__main__ import main as sngan_commands
from sngan.metrics import glossary
from sngan.metrics.protocols import parse
from sngan.plugins.checking import refuse_broken
from sngan.plugins.loading import use_plugins
from sweeps.commands.line import cli as launch_commands
from sweeps.commands.options import split_names
from sweeps.commands.run import study_command
from sweeps.commands.submit import cli as submit_commands
from sweeps.study import STUDIES, plan
from sweeps.variation import parse_overrides, vary

ROOT = Path(__file__).parent.parent
WRITTEN = (
    "README.md", "CONTRIBUTING.md", "DECISIONS.md", "sweeps/README.md", "sngan/README.md", "sngan/plugins/README.md",
    "sngan/metrics/README.md", "dashboards/README.md", "dashboards/gallery/README.md", "infra/README.md",
    "tests/chaos/README.md", "tests/benchmarks/results/README.md",
)  # fmt: skip
PAGES = {name: (ROOT / name).read_text() for name in WRITTEN}
PLUGINS = "sngan/plugins/README.md"
PROGRAMS: dict[str, click.Command] = {
    "sngan": sngan_commands,
    "sweeps.launch": launch_commands,
    "sweeps.submit": submit_commands,
    "dashboards.app": app,
    "dashboards.gallery": gallery,
}


def blocks(text: str) -> list[tuple[str, str]]:
    """(language, content) of the blocks of code."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def commands(text: str) -> list[str]:
    """Commands of this project in the blocks without a language and in the text, each in one line."""
    lines = [line for language, block in blocks(text) if not language
             for line in re.sub(r"\\\n\s*", " ", block).splitlines()]  # fmt: skip
    found = [re.search(r"python -m (?:sngan|sweeps|dashboards)\b[^#]*", line) for line in lines]
    inline = re.findall(r"`(python -m (?:sngan|sweeps|dashboards)\b[^`]*)`", text)
    return [*(match[0].strip() for match in found if match), *(" ".join(line.split()) for line in inline)]


def everywhere(pattern: str) -> list[tuple[str, str]]:
    """(page, match), each once."""
    return list(dict.fromkeys((name, match) for name, text in PAGES.items() for match in re.findall(pattern, text)))


COMMANDS = list(dict.fromkeys(command for text in PAGES.values() for command in commands(text)))
SUBMITTED = [command for command in COMMANDS if "sweeps.submit" in command]
LAUNCHES = [command for command in COMMANDS if re.match(rf"python -m sweeps.launch ({'|'.join(STUDIES)})\b", command)]


@pytest.mark.parametrize(("page", "target"), everywhere(r"\]\((?!https?://)([^)\s]+)\)"))
def test_links_lead_somewhere(page: str, target: str) -> None:
    path, _, anchor = target.partition("#")
    file = (ROOT / page).parent / path if path else ROOT / page
    assert file.exists()
    assert not anchor or f'<a id="{anchor}">' in file.read_text()


def test_every_page_can_be_reached_from_the_first() -> None:
    seen, left = set[str](), ["README.md"]
    while left:
        page = left.pop()
        seen.add(page)
        targets = re.findall(r"\]\((?!https?://)([^)#\s]+)", PAGES.get(page, ""))
        found = {str(((ROOT / page).parent / target).resolve().relative_to(ROOT)) for target in targets}
        left += sorted(found - seen)
    assert set(PAGES) <= seen


@pytest.mark.parametrize(
    ("page", "path"), everywhere(r"`((?:sngan|sweeps|dashboards|tests|infra)/[\w./]*|\.ci/\w+|\w+\.py)`")
)
def test_files_that_are_named_are_there(page: str, path: str) -> None:
    if page == "DECISIONS.md":
        return  # it also tells of what is made while the program runs
    if "/" in path:
        assert (ROOT / path).exists()
    elif page == "CONTRIBUTING.md":  # a file beside others of its kind
        assert any((ROOT / package).rglob(path) for package in ("sngan", "sweeps", "dashboards"))


@pytest.mark.parametrize("module", sorted({match for _, match in everywhere(r"python -m ((?:[a-z_]+\.)*[a-z_]+)")}))
def test_modules_that_are_run_are_there(module: str) -> None:
    assert find_spec(module) is not None


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_and_their_options_exist(command: str) -> None:
    _, _, module, *words = shlex.split(command.replace("...", ""))
    if module not in PROGRAMS:
        return  # another module that is run; it has no options
    found, rest = PROGRAMS[module], words
    if isinstance(found, click.Group) and rest and not rest[0].startswith("--"):
        name, *rest = rest
        got = found.get_command(click.Context(found), "robustness" if name == "STUDY" else name)
        assert got is not None
        found = got
    known = [*found.params]
    if module == "sweeps.submit" and rest and rest[0] in STUDIES:  # what is submitted is a launch
        known += study_command(rest[0]).params
    options = {option for parameter in known for option in parameter.opts} | {"--help"}
    assert {word.partition("=")[0] for word in rest if word.startswith("--")} <= options


@pytest.mark.parametrize("command", LAUNCHES)
def test_launches_name_methods_settings_and_fields_that_exist(command: str) -> None:
    _, _, _, name, *words = shlex.split(command.replace("...", ""))
    if "my-r2" in command:
        return  # of the plugin on that page
    given = study_command(name).make_context(name, words).params
    study = vary(STUDIES[name], given["preset"] or next(iter(STUDIES[name].presets)),
                 parse_overrides(given["overrides"]))  # fmt: skip
    (preset,) = study.presets.values()
    plan(preset, methods=split_names(given["methods"], "methods"),
         settings=split_names(given["settings"], "settings"), seeds=given["seeds"])  # fmt: skip


def test_commands_of_all_programs_are_found() -> None:
    assert {command.split()[2] for command in COMMANDS} >= set(PROGRAMS) - {"dashboards.gallery"}  # `make gallery` is
    assert LAUNCHES
    assert SUBMITTED


@pytest.mark.parametrize(
    ("program", "name"),
    [
        (program, name)
        for program, command in PROGRAMS.items()
        for name in (command.list_commands(click.Context(command)) if isinstance(command, click.Group) else [""])
    ],
)
def test_help_of_every_command_has_an_example_that_can_be_parsed(program: str, name: str) -> None:
    command = PROGRAMS[program]
    if isinstance(command, click.Group):
        found = command.get_command(click.Context(command), name)
        assert found is not None
        command = found
    with click.Context(command, info_name=name) as context:
        text = " ".join(command.get_help(context).split())
    example = re.search(rf"Example: (?:[A-Z]\w*=\S+ )?python -m {re.escape(program)} ?(.*?)(?: Options:|$)", text)
    assert example is not None
    options = {option for parameter in command.params for option in parameter.opts}
    if program == "sweeps.submit" and name in ("slurm", "kubernetes", "ray"):
        options |= {option for parameter in study_command("robustness").params for option in parameter.opts}
    assert set(re.findall(r"(?<=\s)--[a-z-]+", f" {example[1]}")) <= options


CODE = [block for language, block in blocks(PAGES[PLUGINS]) if language == "python" and "add_method" in block]


@pytest.mark.parametrize("text", CODE, ids=lambda text: re.findall(r'@register\("(.*?)"', text)[0])
def test_plugins_keep_the_contract(text: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text)
    try:
        refuse_broken(use_plugins([path]))
    finally:
        use_plugins([])


@pytest.mark.parametrize("kind", ["Penalty", "Projection", "Reparametrization", "Normalization"])
def test_every_kind_of_plugin_has_an_example(kind: str) -> None:
    assert any(f"({kind}):" in text for text in CODE)


@pytest.mark.parametrize("name", sorted({match for _, match in everywhere(r"(?:fid|kid|is)/gen[a-z0-9-]+")}))
def test_protocols_exist(name: str) -> None:
    parse(re.sub(r"-[0-9a-f]{8}$", "", name))


@pytest.mark.parametrize(("page", "target"), everywhere(r"(?:`|\n)make ([a-z][a-z-]*[a-z])(?![a-z-])"))
def test_make_targets_exist(page: str, target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_every_study_has_its_row() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \|", PAGES["sweeps/README.md"], re.MULTILINE)
    assert set(STUDIES) <= set(rows)


def test_every_page_of_the_app_has_its_row() -> None:
    rows = re.findall(r"^\| ([A-Z][a-z]+) \|", PAGES["dashboards/README.md"], re.MULTILINE)
    assert rows == [page.title for page in APP_PAGES]


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_in_the_gallery_as_the_code_explains_it(name: str) -> None:
    page, figure = PAGES["dashboards/gallery/README.md"], FIGURES[name]
    for text in (f'<a id="{name}"></a>\n## {figure.title}', figure.question, figure.reading, figure.marks):
        assert text in page
    assert f"]({name}.png)" in page


def test_pictures_of_figures_that_are_gone_are_gone() -> None:
    assert {file.stem for file in (ROOT / "dashboards" / "gallery").glob("*.png")} == set(FIGURES)


def test_glossary_is_that_of_the_catalogs() -> None:
    page = PAGES["sngan/metrics/README.md"]
    assert page == glossary.with_tables(page)
    assert "## Metrics" in page


def test_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = (ROOT / "pyproject.toml").read_text()
    assert f'\nversion = "{citation["version"]}"\n' in project
    assert f'\nlicense = "{citation["license"]}"\n' in project
    assert {"cff-version", "message", "title", "authors"} <= set(citation)


def test_reference_is_made_of_docstrings_and_asks_no_network(tmp_path: Path) -> None:
    options = ["--docformat", "numpy", "--no-show-source", "-o", str(tmp_path)]
    line = [sys.executable, "-m", "pdoc", *options, "sngan.plugins", "sweeps.statistics", "dashboards.figures.base"]
    subprocess.run(line, check=True, cwd=ROOT, capture_output=True, timeout=100)
    pages = [file.read_text() for file in tmp_path.rglob("*.html")]
    assert len([page for page in pages if "docstring" in page]) >= 3
    assert not [page for page in pages if re.search(r'<(?:script|img|link)[^>]+(?:src|href)="(?:https?:)?//', page)]
