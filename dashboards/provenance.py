"""What a page says about where its numbers come from: launches, data, every config, and how to do it again."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dashboards.figures import StudyFrames
from dashboards.figures.frames import records
from dashboards.figures.style import method_label, scientific
from sngan.config import TrialConfig
from sngan.methods import METHODS
from sweeps.configs import distinct, without_seed
from sweeps.plugins import codes_of, find_kept
from sweeps.study import STUDIES, Preset

_AXES = ("alpha", "beta1", "beta2", "n_dis", "loss", "regularizers", "seed")
_MOST_LISTED = 1_000
_FIRST = ("command", "started", "git_commit", "git_dirty", "inputs", "host", "os", "cpu", "cores", "gpus")


@dataclass(frozen=True, kw_only=True)
class ConfigTable:
    """Every trial's config without repetition.

    common : field -> value of the fields in which all trials agree. fields : the others. rows : one per trial with
    the keys method, setting, seed, digest, state, last_update, train_s, num_attempts, remark and values (of `fields`);
    of more than 1,000 trials those that failed, and the first ones. num_trials : how many there are.
    """

    common: Mapping[str, str]
    fields: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]
    num_trials: int


def config_table(trials: pd.DataFrame) -> ConfigTable:
    """The configs of all trials, split into what they share and what differs."""
    known = {text: json.loads(text) for text in distinct(trials["config"])}
    keys = sorted({key for config in known.values() for key in config})
    texts = {text: {key: shown(config.get(key)) for key in keys} for text, config in known.items()}
    several = {key for key in keys if len({text[key] for text in texts.values()}) > 1}
    if trials["seed"].nunique() > 1:
        several.add("seed")
    differing = tuple(key for key in keys if key in several)
    listed = _listed(trials)
    told = records(listed, "method", "setting", "seed", "digest", "state", "last_update", "train_s", "num_attempts",
                   "reason", "error")  # fmt: skip
    rows = tuple(
        {
            "method": method_label(method), "setting": setting, "seed": seed, "digest": digest, "state": state,
            "last_update": last_update, "train_s": train_s, "num_attempts": num_attempts, "remark": reason or error,
            "values": [shown(seed) if key == "seed" else texts[without_seed(config)][key] for key in differing],
        }
        for config, (method, setting, seed, digest, state, last_update, train_s, num_attempts, reason, error) in zip(
            listed["config"], told, strict=True
        )
    )  # fmt: skip
    first: Mapping[str, str] = {}
    if len(trials):
        first = {**texts[without_seed(trials["config"].iloc[0])], "seed": shown(int(trials["seed"].iloc[0]))}
    return ConfigTable(
        common={key: first[key] for key in keys if key not in differing},
        fields=differing,
        rows=rows,
        num_trials=len(trials),
    )


def _listed(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials that a page lists: all, or of very many those that failed and then the first ones, in their order."""
    if len(trials) <= _MOST_LISTED:
        return trials
    order = np.argsort((trials["state"] != "failed").to_numpy(), kind="stable")
    return trials.iloc[np.sort(order[:_MOST_LISTED])]


def shown(value: Any) -> str:
    """A JSON value as people write it: numbers short, lists with commas, a regularizer as name(field=value)."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, float):
        return scientific(value)
    if isinstance(value, Mapping):
        fields = ", ".join(f"{key}={shown(item)}" for key, item in value.items() if key != "name")
        name = str(value.get("name", ""))
        return f"{name}({fields})" if name and fields else name or fields
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(shown(item) for item in value) or "none"
    return str(value)


def provenance_rows(provenance: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(name, value) pairs, with nested groups as "group: name"."""
    rows: list[tuple[str, str]] = []
    first = [key for key in _FIRST if key in provenance]
    for key in [*first, *(key for key in provenance if key not in first)]:
        name, value = key.replace("_", " "), provenance[key]
        if key == "versions" and isinstance(value, Mapping):
            rows.append((name, ", ".join(f"{package} {version}" for package, version in value.items())))
        elif isinstance(value, Mapping):
            rows += [(f"{name}: {inner}", shown(item)) for inner, item in value.items()]
        else:
            rows.append((name, shown(value)))
    return rows


def reproduce_commands(frames: StudyFrames, provenance: Mapping[str, Any]) -> list[str]:
    """Commands that make the same results and the same page again, in the project's checkout."""
    commit = str(provenance.get("git_commit") or "")
    original = _original(frames)
    changes = [option for change in _changes(frames, original) for option in ("--set", f"config.{change}")]
    target = [frames.study.name, "--preset", original.name]
    return [
        *([f"git checkout {commit}"] if commit else []),
        shlex.join(["python", "-m", "sweeps.launch", *target, *_axes(frames), *changes, *_plugins(frames)]),
        shlex.join(["python", "-m", "sweeps.launch", "report", *target, *changes]),
    ]


def _original(frames: StudyFrames) -> Preset:
    """The preset as its study describes it; sweeps.variation names a changed one "PRESET+KEY=VALUE"."""
    name = frames.preset.name.partition("+")[0]
    presets = STUDIES[frames.study.name].presets if frames.study.name in STUDIES else frames.study.presets
    return presets.get(name, frames.preset)


def _axes(frames: StudyFrames) -> list[str]:
    """Methods, settings and seeds as options, where the trials have others than the preset."""
    preset, options = frames.preset, []
    if frames.methods and set(frames.methods) != set(preset.methods):
        options += ["--methods", ",".join(frames.methods)]
    if preset.search is None and frames.settings and set(frames.settings) != set(preset.settings):
        options += ["--settings", ",".join(frames.settings)]
    if frames.num_seeds and frames.num_seeds != preset.seeds:
        options += ["--seeds", str(frames.num_seeds)]
    return options


def _plugins(frames: StudyFrames) -> list[str]:
    """The kept files of the plugins that made the trials, as options."""
    files = [find_kept(frames.storage_dir, code) for code in sorted(codes_of(frames.trials["config"]))]
    return [option for file in files if file is not None for option in ("--plugin", str(file))]


def _changes(frames: StudyFrames, original: Preset) -> list[str]:
    """FIELD=VALUE for every field of the trials' configs that is not the original preset's."""
    for method, text in records(frames.trials, "method", "config"):
        if method in METHODS:
            planned = METHODS[method].apply(TrialConfig.from_dict(dict(original.config))).to_dict()
            own = {*_AXES, *METHODS[method].overrides}
            ran = json.loads(text)
            changed = [key for key in planned if key in ran and key not in own and ran[key] != planned[key]]
            return [f"{key}={_typed(ran[key])}" for key in changed]
    return []


def _typed(value: Any) -> str:
    """A value as the command line takes it."""
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
