"""Regularizers of one's own: loaded, checked by the contract, part of the trial's identity, refused by name."""

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sngan.config import TrialConfig
from sngan.contract import checks_of, problem
from sngan.errors import InputError
from sngan.methods import METHODS
from sngan.plugins.checking import findings, refuse_broken
from sngan.plugins.loading import Plugin, loaded_plugins, use_plugins
from sngan.regularizers import REGULARIZERS
from tests.plugin_samples import HEAD, SOUND, TAIL, normalization, penalty, projection, reparametrization, write
from tests.sngan.typed import sngan


@pytest.fixture(autouse=True)
def _no_plugins_afterwards() -> Iterator[None]:
    known = set(REGULARIZERS), set(METHODS), {name for name in sys.modules if name.startswith("sngan_plugin_")}
    yield
    use_plugins([])
    modules = {name for name in sys.modules if name.startswith("sngan_plugin_")}
    assert (set(REGULARIZERS), set(METHODS), modules) == known


def load(folder: Path, text: str, name: str = "mine.py") -> Plugin:
    (plugin,) = use_plugins([write(folder, text, name)])
    return plugin


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(InputError) as raised:
        load(folder, text)
    told = str(raised.value)
    assert len(told.splitlines()) <= 2
    assert loaded_plugins() == ()
    return told


# Sound ones


@pytest.mark.parametrize("kind", SOUND)
def test_a_sound_plugin_of_every_kind_keeps_the_whole_contract(kind: str, tmp_path: Path) -> None:
    found = list(findings(load(tmp_path, SOUND[kind])))
    assert [finding for finding in found if finding.problem] == []
    assert {finding.subject for finding in found} == {"regularizer mine", "method mine"}
    assert len(found) >= 9


def test_a_plugin_takes_part_like_any_other_and_can_be_varied(tmp_path: Path) -> None:
    plugin = load(tmp_path, SOUND["penalty"])
    assert (plugin.regularizers, plugin.methods) == (("mine",), ("mine",))
    assert METHODS["mine"].label == "My own"
    assert METHODS["mine(gamma=3)"].regularizers == (REGULARIZERS["mine"](gamma=3.0),)
    assert list(METHODS)[-1] == "mine"


def test_annotations_as_text_and_a_class_of_the_package_as_base(tmp_path: Path) -> None:
    text = f"""from __future__ import annotations
{HEAD}
from sngan.regularizers.r1 import R1
@register("mine")
@dataclass(frozen=True)
class Mine(R1):
    gamma: float = 5.0
{TAIL}"""
    refuse_broken([load(tmp_path, text)])
    assert (METHODS["mine(gamma=2)"].regularizers[0].to_dict()["gamma"], METHODS["r1"].regularizers[0].code) == (
        2.0,
        "",
    )


# Identity


def test_the_code_is_part_of_the_identity(tmp_path: Path) -> None:
    digests = []
    for text in (SOUND["penalty"], SOUND["penalty"] + "# a remark\n", SOUND["penalty"]):
        load(tmp_path, text)
        config = METHODS["mine"].apply(TrialConfig())
        assert TrialConfig.from_dict(config.to_dict()) == config
        digests.append(config.digest)
    assert digests[0] == digests[2] != digests[1]


def test_a_config_of_other_code_is_refused(tmp_path: Path) -> None:
    described = stored_config(load(tmp_path, SOUND["penalty"]))
    for text in (SOUND["penalty"] + "# other code\n", ""):
        use_plugins([write(tmp_path, text)] if text else [])
        with pytest.raises(InputError, match=r"'mine' of the plugin with code .* is not loaded"):
            TrialConfig.from_dict(described)


def stored_config(plugin: Plugin) -> dict[str, object]:
    """The config of the plugin's method, as it is stored."""
    return METHODS[plugin.methods[0]].apply(TrialConfig()).to_dict()


def test_a_plugin_has_the_name_under_which_it_is_kept(tmp_path: Path) -> None:
    plugin = load(tmp_path, SOUND["penalty"])
    assert plugin.kept_name == f"mine-{plugin.code[:12]}.py"
    again = load(tmp_path, SOUND["penalty"], plugin.kept_name)
    assert (again.kept_name, again.code) == (plugin.kept_name, plugin.code)


def test_the_bytes_that_were_hashed_are_what_runs(tmp_path: Path) -> None:
    """No byte code beside the file, which a quick change of equal length would not renew."""
    for gamma in ("1.0", "2.0"):
        load(tmp_path, penalty("pass", fields=f"gamma: float = {gamma}"))
        assert REGULARIZERS["mine"]().gamma == float(gamma)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]


def test_several_plugins_are_used_together_and_what_is_not_named_is_forgotten(tmp_path: Path) -> None:
    one = write(tmp_path, SOUND["penalty"], "one.py")
    two = write(tmp_path, SOUND["projection"].replace("mine", "other").replace("My own", "Other"), "two.py")
    assert [plugin.methods for plugin in use_plugins([one, two, one])] == [("mine",), ("other",)]
    use_plugins([two])
    assert "mine" not in METHODS
    assert "other" in METHODS
    clash = write(tmp_path, SOUND["projection"], "clash.py")
    with pytest.raises(InputError, match=r"clash\.py, line \d+: regularizer 'mine' exists already"):
        use_plugins([one, clash])


# Refused when loaded


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("x = 1\ny = (\n", ["mine.py, line 2", "SyntaxError", "never closed"]),
        ("import torch\n1 / 0\n", ["mine.py, line 2: ZeroDivisionError: division by zero"]),
        ("import torch\ndef f():\n    return torch.nothing\nf()\n", ["mine.py, line 3: AttributeError", "nothing"]),
        ("import sys\nsys.exit(3)\n", ["mine.py, line 2: SystemExit: 3"]),
        ("x = '\0'\n", ["mine.py", "null bytes"]),
        ("import torch\n", ["registers nothing", "@register"]),
        (SOUND["penalty"].replace(TAIL, ""), ["defines no method", 'add_method("mine", Mine())']),
        (SOUND["penalty"].replace('"mine"', '"r1"'), ["line ", "regularizer 'r1' exists already"]),
        (SOUND["penalty"].replace('add_method("mine"', 'add_method("sn"'), ["line ", "method 'sn' exists already"]),
        (SOUND["penalty"].replace("My own", "WGAN-GP"), ["label 'WGAN-GP' is another method's"]),
        (SOUND["penalty"].replace('"My own"', "3"), ["line ", "its label is 3; a text in quotes"]),
        (SOUND["penalty"].replace("Mine(),", "Mine,"), ["Mine is a class; write Mine()"]),
        (SOUND["penalty"].replace('@register("mine")\n', ""), ["Mine has no name", "@register"]),
        (SOUND["penalty"].replace("label=", "loss='wassersten', label="), ["Did you mean 'wasserstein'"]),
        (SOUND["penalty"].replace("label=", "dequantisation=True, label="), ["Did you mean 'dequantization'"]),
        (SOUND["penalty"].replace("label=", "alpha=0.1, label="), ["unknown override of method 'mine': 'alpha'"]),
        (SOUND["penalty"].replace('"mine"', '"my regularizer"'), ["'my regularizer' cannot be used", "hyphens"]),
        ("from sweeps.study import STUDIES\n", ["line 1", "imports 'sweeps.study'"]),
        ("def f():\n    from . import helper\n", ["line 2", "imports '.'", "one file"]),
        (HEAD + "NOISE = torch.randn(3)\n", ["global generator of torch"]),
        ("import numpy\nNOISE = numpy.random.rand()\n", ["global generator of numpy.random"]),
        (HEAD + "torch.set_default_dtype(torch.float64)\n", ["torch's default dtype"]),
        (penalty("pass", fields="code: str = ''"), ["must not have a field called 'code'"]),
        (
            HEAD + "from sngan.regularizers.r1 import R1\nregister('mine')(R1)\n",
            ["line 8", "registered already, as 'r1'"],
        ),
    ],
)
def test_what_cannot_be_loaded_is_refused_by_name_and_line(text: str, parts: list[str], tmp_path: Path) -> None:
    told = refusal(tmp_path, text)
    for part in parts:
        assert part in told


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.py").write_bytes(b"x = '\xe9'\n")
    for path, part in (
        (tmp_path / "no.py", "No such file"),
        (tmp_path, "it is a folder"),
        (tmp_path / "latin.py", "utf-8"),
    ):
        with pytest.raises(InputError, match=part):
            use_plugins([path])


# Refused by the contract

BROKEN = {
    # name -> (plugin, the check that must find it, a part of what it says)
    "shape": (penalty("value = value.expand(3)"), "penalty-is-a-number", "[3] torch.float32"),
    "dtype": (penalty("value = value.double()"), "penalty-is-a-number", "torch.float64"),
    "a plain float": (penalty("value = value.item()"), "penalty-is-a-number", "float, not a tensor"),
    "not finite": (penalty("value = value / 0"), "penalty-is-a-number", "not finite"),
    "no gradient": (penalty("value = value.detach()"), "penalty-has-gradients", "no graph"),
    "gradient not finite": (
        penalty("value = value + (inputs.discriminator(inputs.fake) * 0).sqrt().sum()"),
        "penalty-has-gradients",
        "not finite",
    ),
    "changes its input": (penalty("inputs.real.mul_(0.5)"), "penalty-leaves-all-alone", "inputs.real changed"),
    "input requires grad": (penalty("inputs.fake.requires_grad_()"), "penalty-leaves-all-alone", ".detach()"),
    "moves weights": (
        penalty("with torch.no_grad():\n    next(inputs.discriminator.parameters()).mul_(0.9)"),
        "penalty-leaves-all-alone",
        "convolutions.0.weight changed",
    ),
    "leaves gradients": (
        penalty("value.backward(retain_graph=True)"), "penalty-leaves-all-alone", "the gradient of"
    ),
    "switches the mode": (penalty("inputs.discriminator.eval()"), "penalty-leaves-all-alone", "the mode of"),
    "remembers": (
        penalty("value = value * next(COUNT)", before="import itertools\nCOUNT = itertools.count(1)\n"),
        "penalty-repeats",
        "then",
    ),
    "draws from torch": (penalty("value = value * torch.rand(())"), "penalty-draws-from-its-stream", "of torch"),
    "draws from numpy": (
        penalty("value = value * np.random.rand()", before="import numpy as np\n"),
        "penalty-draws-from-its-stream",
        "numpy.random",
    ),
    "draws from random": (
        penalty("value = value * random.random()", before="import random\n"),
        "penalty-draws-from-its-stream",
        "generator of random",
    ),
    "an error of its own": (penalty("value = value + inputs.fakes"), "penalty-is-a-number", "(line "),
    "no dataclass": (SOUND["penalty"].replace("@dataclass(frozen=True)\n", ""), "frozen", "@dataclass(frozen=True)"),
    "two kinds": (
        penalty("pass", fields="def project_(self, discriminator): pass").replace("(Penalty)", "(Penalty, Projection)"),
        "frozen",
        "2 kinds",
    ),
    "a field that is no plain value": (
        penalty("pass", before="from dataclasses import field\n", fields="taps: list = field(default_factory=list)"),
        "plain-fields",
        "taps",
    ),
    "searches what it has not": (
        penalty("pass", fields='searched = {"gamma": (1.0, 10.0)}'), "searched-fields", "no float field 'gamma'"
    ),
    "searches backwards": (
        penalty("pass", fields='gamma: float = 3.0\nsearched = {"gamma": (3, 1)}'), "searched-fields", "lower first"
    ),
    "searches the learning rate's name": (
        penalty("pass", fields='alpha: float = 3.0\nsearched = {"alpha": (1, 3)}'), "searched-fields", "the optimizer's"
    ),
    "searches what it refuses": (
        penalty("pass", fields='keep: float = 0.5\nsearched = {"keep": (0.1, 2)}\n'
                "def __post_init__(self):\n    assert self.keep < 1, 'keep below 1'"),
        "searched-fields",
        "keep below 1",
    ),
    "small images only": (
        penalty("value = value + 0 * inputs.fake.view(len(inputs.fake), 64).sum()"), "method-trains", "standard-cnn"
    ),
    "without classes": (
        SOUND["penalty"].replace(", inputs.fake_labels", ""), "method-trains", "conditional small-cnn, joint forward"
    ),
    "weight of another shape": (reparametrization("weight = weight.flatten(1)"), "reparametrization-keeps-shape", "["),
    "weight of another type": (
        reparametrization("weight = weight.double()"), "reparametrization-keeps-shape", "float64"
    ),
    "weight not finite": (
        reparametrization("weight = weight * torch.inf"), "reparametrization-keeps-shape", "not finite"
    ),
    "weight without gradient": (
        reparametrization("weight = weight.detach() / 2"), "reparametrization-has-gradients", "no graph"
    ),
    "raw weight changed": (
        reparametrization("with torch.no_grad():\n    weight.mul_(0.9)\nweight = weight + 0"),
        "reparametrization-leaves-raw-weights",
        "changed",
    ),
    "drawn at the start": (
        reparametrization("weight = weight * self.u", state='self.register_buffer("u", torch.rand(()))'),
        "reparametrization-draws-from-its-stream",
        "of torch",
    ),
    "plain tensor": (
        reparametrization("weight = weight * self.u", state="self.u = torch.tensor(2.0)"),
        "reparametrization-leaves-raw-weights",
        "register_buffer",
    ),
    "state in no buffer": (
        reparametrization("self.calls += 1\nweight = weight / (1 + 0.1 * self.calls)", state="self.calls = 0"),
        "method-resumes",
        "buffers",
    ),
    "activations of another shape": (normalization("x = x[:, :, :1]"), "normalization-keeps-shape", "["),
    "activations not finite": (normalization("x = x.log()"), "normalization-keeps-shape", "not finite"),
    "input changed": (normalization("x.mul_(0.5)"), "normalization-leaves-its-input", "changed"),
    "gradient cut": (normalization("x = x.detach()"), "normalization-has-gradients", "no graph"),
    "dropout": (normalization("x = nn.functional.dropout(x)"), "normalization-draws-nothing", "of torch"),
    "clock": (
        normalization("x = x * (1 + time.perf_counter_ns() % 1000 / 1000)").replace(HEAD, f"{HEAD}import time\n"),
        "normalization-repeats",
        "differs",
    ),
    "running mean in no buffer": (
        normalization("self.m = 0.5 * (self.m + float(x.detach().mean()))\nx = x - self.m", state="self.m = 0.0"),
        "method-resumes",
        "buffers",
    ),
    "separate forward only": (normalization("x = x.view(4, -1).view_as(x[:4])"), "method-trains", "joint forward"),
    "not in place": (projection("weight = raw_weight(layer).clamp(-0.1, 0.1)"), "projection-moves", "in place"),
    "parameter replaced": (
        projection("layer.weight = nn.Parameter(layer.weight / 2)"), "projection-moves", "the identity of"
    ),
    "projected by chance": (
        projection("raw_weight(layer).mul_(torch.rand(()))"), "projection-draws-nothing", "of torch"
    ),
    "projected to nothing": (projection("raw_weight(layer).div_(0)"), "projection-keeps-shape", "not finite"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_is_found_and_told(name: str, tmp_path: Path) -> None:
    text, check, part = BROKEN[name]
    plugin = load(tmp_path, text)
    subject = METHODS["mine"] if check.startswith("method") else REGULARIZERS["mine"]()
    told = problem(checks_of(subject)[check], subject)
    assert told
    assert part in told
    assert len(told.splitlines()) == 1
    with pytest.raises(InputError) as raised:
        refuse_broken([plugin])
    assert "mine.py is refused" in str(raised.value)
    if not check.startswith("method"):  # what only training shows may break smaller promises on its way
        assert part in str(raised.value), "what is told first is the cause, not what follows from it"
    assert len(str(raised.value).splitlines()) == 2


def test_a_field_without_default_is_told(tmp_path: Path) -> None:
    text = penalty("pass", fields="gamma: float").replace("Mine()", "Mine(gamma=1.0)")
    with pytest.raises(InputError, match="can be made without arguments"):
        refuse_broken([load(tmp_path, text)])


# As a person types it


def test_check_says_what_passed_and_what_failed(tmp_path: Path) -> None:
    sound = sngan("check", write(tmp_path, SOUND["projection"]))
    assert sound.returncode == 0, sound.stdout + sound.stderr
    assert "FAILED" not in sound.stdout
    assert "ok      moves weights that are a thousand times too large, in place" in sound.stdout
    broken = sngan("check", write(tmp_path, BROKEN["dtype"][0]))
    assert broken.returncode == 1
    assert "FAILED  returns one finite number, float32: the penalty is [] torch.float64" in broken.stdout
    assert "ok      draws random numbers from its stream alone" in broken.stdout
    twice = sngan("check", write(tmp_path, penalty("value = value + inputs.fakes"), "twice.py"))
    assert twice.stdout.count("has no attribute 'fakes'") == 1
    assert twice.stdout.count("FAILED") == twice.stdout.count(": as above") + 1 > 2
    unreadable = sngan("check", tmp_path / "none.py")
    assert unreadable.returncode == 1
    assert "cannot read the plugin" in unreadable.stdout
    assert not sound.stderr + broken.stderr + unreadable.stderr


@pytest.mark.thorough
def test_train_list_and_evaluate_take_a_plugin(tmp_path: Path) -> None:
    plugin, cache = write(tmp_path, SOUND["penalty"]), ("--cache-dir", tmp_path / "cache")
    assert "  mine " in sngan("list", "--plugin", plugin).stdout
    small = ("--updates", 2, "--set", "batch_size=8", "--out", tmp_path / "runs", *cache)
    trained = sngan("train", "--method", "mine", "--plugin", plugin, *small)
    assert trained.returncode == 0, trained.stderr
    (checkpoint,) = (tmp_path / "runs" / "checkpoints").glob("*/state.pt")
    measure = ("evaluate", checkpoint, "--protocol", "fid/gen600-test600-digits", *cache)
    assert sngan(*measure, "--plugin", plugin).returncode == 0
    without = sngan(*measure)
    assert without.returncode == 2
    assert "Give that very file with --plugin" in without.stderr
    broken = sngan("train", "--method", "mine", "--plugin", write(tmp_path, BROKEN["dtype"][0], "broken.py"), *small)
    assert broken.returncode == 2
    assert "broken.py is refused" in broken.stderr


def test_the_package_itself_has_no_code_in_its_configs() -> None:
    assert all("code" not in REGULARIZERS[name]().to_dict() for name in REGULARIZERS)
    assert all(field.name not in ("name", "code") for cls in REGULARIZERS.values() for field in dataclasses.fields(cls))
