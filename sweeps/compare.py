"""Whether two stores hold the same results: what shows that a resumed sweep equals an uninterrupted one."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sweeps.store import ResultStore

CELL = ["method", "setting", "seed"]
KEY = [*CELL, "update", "protocol"]
NUMBERS = ("value", "spread")
Cell = tuple[str, str, int]


def compare(
    left: ResultStore,
    right: ResultStore,
    study: str,
    preset: str,
    *,
    left_dir: Path | None = None,
    right_dir: Path | None = None,
) -> list[str]:
    """One line per difference between the results of a study in two stores; empty when they are equal.

    Results are the trials and their configs, states, and evaluations, whose values and spreads must agree in every
    bit. Costs, attempts, hosts, diagnostics, spectra and times are none. With the folders of results of both sides, the
    grids of images must be the same files, byte for byte.
    """
    trials = [_by_cell(store.trials(study, preset)) for store in (left, right)]
    if not trials[0] and not trials[1]:
        return [f"{study}-{preset} was launched in neither store"]
    lines = [*_trial_lines(*trials)]
    both = trials[0].keys() & trials[1].keys()
    same = {cell for cell in both if trials[0][cell]["digest"] == trials[1][cell]["digest"]}
    frames = [_of_cells(store.evaluations(study, preset), same) for store in (left, right)]
    lines += _evaluation_lines(*frames)
    if left_dir is not None and right_dir is not None:
        grids = [_of_cells(store.samples(study, preset), same) for store in (left, right)]
        lines += _sample_lines(grids[0], grids[1], left_dir, right_dir)
    return lines


def _by_cell(trials: pd.DataFrame) -> dict[Cell, dict[str, Any]]:
    names = [*CELL, "digest", "state", "config"]
    rows = [dict(zip(names, row, strict=True)) for row in trials[names].itertuples(index=False, name=None)]
    return {(row["method"], row["setting"], row["seed"]): row for row in rows}


def _of_cells(frame: pd.DataFrame, cells: set[Cell]) -> pd.DataFrame:
    """The rows of trials that both sides have: those of others are missing as a whole."""
    keys = zip(*(frame[name].tolist() for name in CELL), strict=True)
    return frame[np.fromiter((key in cells for key in keys), dtype=bool, count=len(frame))]


def _name(method: str, setting: str, seed: int) -> str:
    return f"{method} {setting} seed {seed}"


def _trial_lines(left: Mapping[Cell, Mapping[str, Any]], right: Mapping[Cell, Mapping[str, Any]]) -> Iterator[str]:
    for cell in sorted(left.keys() | right.keys()):
        if cell not in left or cell not in right:
            yield f"{_name(*cell)}: trial only on the {'left' if cell in left else 'right'}"
        elif left[cell]["digest"] != right[cell]["digest"]:
            yield f"{_name(*cell)}: config differs: {_config_difference(left[cell], right[cell])}"
        elif left[cell]["state"] != right[cell]["state"]:
            yield f"{_name(*cell)}: state {left[cell]['state']} on the left, {right[cell]['state']} on the right"


def _config_difference(left: Mapping[str, Any], right: Mapping[str, Any]) -> str:
    ours, theirs = json.loads(left["config"]), json.loads(right["config"])
    keys = sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))
    return ", ".join(f"{key} {ours.get(key)!r} and {theirs.get(key)!r}" for key in keys)


def _evaluation_lines(left: pd.DataFrame, right: pd.DataFrame) -> Iterator[str]:
    columns = [*KEY, *NUMBERS]
    both = left[columns].merge(right[columns], on=KEY, how="outer", suffixes=("_left", "_right"), indicator=True)
    differs = (both["_merge"] != "both").to_numpy()
    for name in NUMBERS:
        differs = differs | (_bits(both[f"{name}_left"]) != _bits(both[f"{name}_right"]))
    for row in both[differs].to_dict("records"):
        where = f"{_name(row['method'], row['setting'], row['seed'])} update {row['update']} {row['protocol']}"
        if row["_merge"] != "both":
            yield f"{where}: only on the {row['_merge'].removesuffix('_only')}"
            continue
        for name in NUMBERS:
            one, other = _shown(row[f"{name}_left"]), _shown(row[f"{name}_right"])
            if one != other:
                yield f"{where}: {name} {one} on the left, {other} on the right"


def _bits(column: pd.Series) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """The numbers' bits; all absent ones alike."""
    values = column.to_numpy(dtype=np.float64, copy=True)
    values[np.isnan(values)] = np.nan
    return values.view(np.uint64)


def _shown(value: float) -> str:
    """A number so that another one looks different."""
    return "absent" if math.isnan(value) else repr(float(value))


def _sample_lines(left: pd.DataFrame, right: pd.DataFrame, left_dir: Path, right_dir: Path) -> Iterator[str]:
    key = [*CELL, "update"]
    both = left[[*key, "path"]].merge(
        right[[*key, "path"]], on=key, how="outer", suffixes=("_left", "_right"), indicator=True
    )
    for row in both.to_dict("records"):
        where = f"{_name(row['method'], row['setting'], row['seed'])} update {row['update']} samples"
        if row["_merge"] != "both":
            yield f"{where}: only on the {row['_merge'].removesuffix('_only')}"
            continue
        one, other = _content(left_dir / row["path_left"]), _content(right_dir / row["path_right"])
        for side, content in (("left", one), ("right", other)):
            if content is None:
                yield f"{where}: the file is missing on the {side}"
        if one is not None and other is not None and one != other:
            yield f"{where}: the images differ"


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
