"""Study, Preset, Claim, PlannedTrial: frozen descriptions of what is asked, at which scale, and what follows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sngan.config import TrialConfig
from sngan.errors import InputError, unknown
from sngan.fields import field_types
from sngan.methods import METHODS, SETTINGS, check_kept
from sngan.registry import Registry
from sweeps.spaces import Search


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A sentence of a paper as data that can be judged.

    source : paper, section or figure. sentence : the claim in our words. rule : name of the rule in
    sweeps.rules that turns scores into contrasts. contrast : the rule's arguments (methods compared, settings,
    margin ...), each documented by the rule. note : what a reader must know beside it, such as a number of the same
    paper that says otherwise, with its source; or "".
    """

    name: str
    source: str
    sentence: str
    rule: str
    contrast: Mapping[str, Any]
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A scale on which a study is run: data set, architecture, length, metrics, seeds.

    config : fields of TrialConfig. headline : the protocol that figures and verdicts use (a short name among
    config's protocols). caveat : a sentence that stands on every page, or "". changed : fields of config that a
    user set by hand; a method that defines one of them differently is refused. search : for a preset whose settings are
    not listed but looked for; `settings` are then the places in the search.
    """

    name: str
    description: str
    config: Mapping[str, Any]
    methods: tuple[str, ...]
    settings: tuple[str, ...]
    seeds: int
    headline: str
    caveat: str = ""
    changed: tuple[str, ...] = ()
    search: Search | None = None


@dataclass(frozen=True, kw_only=True)
class PlannedTrial:
    """A cell of a study: one method at one setting with one seed, and the config that it means."""

    method: str
    setting: str
    seed: int
    config: TrialConfig

    @property
    def cell(self) -> tuple[str, str, int]:
        """Method, setting and seed."""
        return self.method, self.setting, self.seed

    @property
    def digest(self) -> str:
        """Identity of the trial in store, checkpoints and MLflow."""
        return self.config.digest


@dataclass(frozen=True, kw_only=True)
class Study:
    """A question, its axes, its presets, its claims and its figures.

    figures : names of figures in dashboards.figures, in the order of the report.
    """

    name: str
    question: str
    description: str
    presets: Mapping[str, Preset]
    claims: tuple[Claim, ...]
    figures: tuple[str, ...] = field(default=())

    def preset(self, name: str) -> Preset:
        """The preset called `name`, or an InputError that names the nearest."""
        if name not in self.presets:
            raise unknown(f"preset of study {self.name!r}:", name, self.presets)
        return self.presets[name]


STUDIES: Registry[Study] = Registry("study", package="sweeps.studies")


def plan(
    preset: Preset,
    *,
    methods: Sequence[str] | None = None,
    settings: Sequence[str] | None = None,
    seeds: int | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> list[PlannedTrial]:
    """Every trial of a preset: methods x settings x seeds 0 to seeds-1, seeds outermost.

    An interrupted sweep thus holds whole replications first. `overrides` are fields of TrialConfig which win over
    the preset and lose against method and setting. A preset with a search has no trials before it runs: what may stand
    in a plan is checked, and sweeps.searching does the rest.
    Raises InputError for unknown names, seeds < 1 or bad values.
    """
    num_seeds = preset.seeds if seeds is None else seeds
    if not 1 <= num_seeds <= 10_000:
        raise InputError(f"--seeds is {num_seeds}; allowed: whole numbers from 1 to 10000.")
    chosen_methods = [METHODS[name] for name in methods or preset.methods]
    named = () if preset.search is not None else settings or preset.settings
    chosen_settings = [SETTINGS[name] for name in named]
    base = TrialConfig.from_dict({**preset.config, **_allowed(overrides or {})})
    for method in chosen_methods:
        check_kept(method, base, {*preset.changed, *(overrides or {})})
        for setting in chosen_settings:
            check_kept(method, setting.apply(base), setting.overrides)
    cells = [
        (method.name, setting.name, method.apply(setting.apply(base)))
        for method in chosen_methods
        for setting in chosen_settings
    ]
    return [
        PlannedTrial(method=method, setting=setting, seed=seed, config=config.with_seed(seed))
        for seed in range(num_seeds)
        for method, setting, config in cells
    ]


def _allowed(overrides: Mapping[str, Any]) -> Mapping[str, Any]:
    """Overrides of fields that a study varies itself would be silently lost: refuse them."""
    axes = {"alpha", "beta1", "beta2", "n_dis", "loss", "regularizers", "seed"}
    for key in overrides:
        if key not in field_types(TrialConfig):
            raise unknown("config key", key, field_types(TrialConfig))
        if key in axes:
            raise InputError(f"config.{key} is an axis of the study; choose with --methods, --settings, --seeds.")
    return overrides
