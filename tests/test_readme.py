"""The READMEs stay in step with the code: their links, their commands and options, their names."""

import re
import shlex
from pathlib import Path

import click
import pytest

from sngan.__main__ import main as sngan_commands
from sngan.metrics.protocols import parse
from sngan.plugins.checking import refuse_broken
from sngan.plugins.loading import use_plugins
from sweeps.commands.line import cli as launch_commands
from sweeps.commands.run import study_command
from sweeps.commands.submit import cli as submit_commands
from sweeps.study import STUDIES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
CLUSTERS = (ROOT / "infra" / "README.md").read_text()
ENTRY_POINTS = {"sngan": sngan_commands, "sweeps.launch": launch_commands, "sweeps.submit": submit_commands}


def blocks(text: str) -> list[tuple[str, str]]:
    """(language, content) of the blocks of code."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def commands(text: str) -> list[str]:
    """Commands of this project in the blocks without a language, each in one line."""
    lines = [line for language, block in blocks(text) if not language
             for line in re.sub(r"\\\n\s*", " ", block).splitlines()]  # fmt: skip
    found = (re.search(r"python -m (?:sngan|sweeps)\b[^#]*", line) for line in lines)
    return [match[0].strip() for match in found if match]


PLUGINS = [block for language, block in blocks(README) if language == "python" and "add_method" in block]


def test_nothing_is_left_to_fill_in() -> None:
    assert not re.findall(r"@[A-Z_]+@", README)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\((?!https?://)([^)#]+)\)", README))))
def test_links_lead_somewhere(target: str) -> None:
    assert (ROOT / target).exists()


@pytest.mark.parametrize("command", dict.fromkeys(commands(README) + commands(CLUSTERS)))
def test_commands_and_their_options_exist(command: str) -> None:
    _, _, module, name, *words = shlex.split(command)
    group = ENTRY_POINTS[module]
    found = group if name.startswith("--") else group.get_command(click.Context(group), name)
    assert found is not None
    known = [*found.params]
    if module == "sweeps.submit" and words and words[0] in STUDIES:  # what is submitted is a launch
        known += study_command(words[0]).params
    options = {option for parameter in known for option in parameter.opts}
    assert {word for word in (name, *words) if word.startswith("--")} <= options


def test_commands_of_all_programs_are_found() -> None:
    found = {command.split()[2] for command in commands(README) + commands(CLUSTERS)}
    assert found == set(ENTRY_POINTS)


@pytest.mark.parametrize("text", PLUGINS, ids=lambda text: re.findall(r'@register\("(.*?)"', text)[0])
def test_plugins_keep_the_contract(text: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text)
    try:
        refuse_broken(use_plugins([path]))
    finally:
        use_plugins([])


def test_every_kind_of_plugin_has_an_example() -> None:
    for kind in ("Penalty", "Projection", "Reparametrization", "Normalization"):
        assert any(f"({kind}):" in text for text in PLUGINS)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"(?:fid|kid|is)/gen[a-z0-9-]+", README))))
def test_protocols_exist(name: str) -> None:
    parse(re.sub(r"-[0-9a-f]{8}$", "", name))


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"(?:`|^)make ([a-z]+)", README, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
