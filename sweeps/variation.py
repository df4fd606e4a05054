"""A preset with some config fields changed: a preset of its own, so that its results never mix with the plain one's.

Its label names the changes, in store, report folder and MLflow: "quick+updates=300".
"""

import dataclasses
import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from sngan.config import TrialConfig
from sngan.errors import InputError
from sngan.fields import assignments
from sweeps.claims import claims_about
from sweeps.study import Preset, Study, plan

_LONGEST_LABEL = 80  # characters; it names a folder
_UNSAFE = re.compile(r"[^A-Za-z0-9.,_-]+")


def parse_overrides(pairs: Iterable[str]) -> dict[str, str]:
    """{"updates": "300"} of ["config.updates=300"]. Raises InputError for anything else than config.KEY=VALUE."""
    return assignments(pairs, "config.")


def is_shortened(label: str) -> bool:
    """Whether a label does not tell its changes in full: only a store in which it was launched knows them."""
    return "~" in label


def vary(study: Study, name: str, overrides: Mapping[str, Any]) -> Study:
    """`study` with one preset: the one called `name` with `overrides` applied, under its own label; and with the
    claims that are judged on its data set and settings.

    `name` may be a label itself, such as "quick+updates=300". Overrides that say what the preset says anyway
    change nothing. Raises InputError for an unknown preset, key or value.
    """
    base, *changes = name.split("+")
    preset = study.preset(base)
    wanted = {**parse_overrides(f"config.{change}" for change in changes), **overrides}
    varied = _varied(preset, wanted)
    dataset = TrialConfig.from_dict(dict(varied.config)).dataset
    claims = claims_about(study.claims, dataset, varied.settings)
    return dataclasses.replace(study, presets={varied.name: varied}, claims=claims)


def describe(study: Study, preset: Preset) -> dict[str, Any]:
    """What the store keeps of a study and its preset when it is launched, as JSON values; `launched` reads it."""
    return {
        "question": study.question,
        "description": study.description,
        "claims": [dataclasses.asdict(claim) for claim in study.claims],
        "preset": dataclasses.asdict(preset),
    }


def launched(study: Study, label: str, description: Mapping[str, Any]) -> Study:
    """`study` with the one preset that was launched under `label`, from what the store keeps of it.

    Raises InputError where this version has no such preset, or another meaning of what was changed.
    """
    varied = vary(study, label.partition("+")[0], launched_changes(description))
    if label not in varied.presets:
        raise InputError(f"{study.name} {label} means {', '.join(varied.presets)} in this version of the program.")
    return varied


def launched_changes(description: Mapping[str, Any]) -> dict[str, Any]:
    """The config fields that were changed from the preset, with their values, from what the store keeps of a study."""
    preset = description["preset"]
    return {key: preset["config"][key] for key in preset["changed"]}


def _varied(preset: Preset, overrides: Mapping[str, Any]) -> Preset:
    if not overrides:
        return preset
    # Planning one cell checks the keys: the axes of the study cannot be set.
    plan(preset, methods=preset.methods[:1], settings=preset.settings[:1], seeds=1, overrides=overrides)
    plain = TrialConfig.from_dict(dict(preset.config)).to_dict()
    config = TrialConfig.from_dict({**preset.config, **overrides}).to_dict()
    changed = {key: config[key] for key in sorted(overrides) if config[key] != plain[key]}
    if not changed:
        return preset
    protocols = config["protocols"]
    if not any(protocols):
        raise InputError("config.protocols is empty; a sweep measures at least one.\nSee: python -m sngan list")
    return dataclasses.replace(
        preset,
        name=_label(preset.name, changed),
        config={**preset.config, **changed},
        headline=preset.headline if preset.headline in protocols else protocols[0],
        changed=tuple(changed),
        # A preset's caveat speaks of its own data set.
        caveat=" ".join(filter(None, ["" if "dataset" in changed else preset.caveat, _told(changed)])),
    )


def _told(changed: Mapping[str, Any]) -> str:
    """One sentence that says in what a variation differs from its preset, for every page."""
    return f"Changed from the preset: {', '.join(f'{key} = {_typed(value)}' for key, value in changed.items())}."


def _label(name: str, changed: Mapping[str, Any]) -> str:
    """PRESET+KEY=VALUE..., fit for a folder; where that loses something, "~" and 6 hex digits tell it apart."""
    exact = [f"{key}={_typed(value)}" for key, value in changed.items()]
    clean = [f"{key}={_UNSAFE.sub('-', _typed(value))}" for key, value in changed.items()]
    label = "+".join([name, *clean])
    if clean == exact and len(label) <= _LONGEST_LABEL:
        return label
    mark = hashlib.sha256("\n".join(exact).encode()).hexdigest()[:6]
    return f"{label[: _LONGEST_LABEL - 7].rstrip('-')}~{mark}"


def _typed(value: Any) -> str:
    """A value as the command line takes it."""
    return (
        ",".join(map(str, value))
        if isinstance(value, list)
        else str(value).lower()
        if value in (True, False)
        else str(value)
    )
