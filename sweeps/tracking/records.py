"""What MLflow shows of a trial and of a study, as plain values derived from the store alone.

The same rows give the same records, so that what was sent can be compared with what would be sent now.
"""

import hashlib
import json
import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, cast

import pandas as pd

from sngan.metrics.protocols import parse
from sweeps.board import Board, is_protocol
from sweeps.claims import Verdict
from sweeps.provenance import hide_credentials
from sweeps.wording import effect_text, level_text, p_text

Cell = tuple[str, str, str]  # digest, method, setting: what a run is found by
_LONGEST_TEXT = 1_000  # characters of a parameter or tag; servers refuse some thousand
_LONGEST_KEY = 250
_PACE = "seconds_per_update"
_SYSTEM = "system/"  # MLflow's page shows such metrics apart, as system metrics
# Of what a diagnosis sees, the report shows the layers and the extremes; MLflow's page would drown in them.
_UNSHOWN = re.compile(r"layer\d+/.*|logits-.*|.*-(min|max)")


@dataclass(frozen=True, slots=True)
class Point:
    """A value at an update; elapsed_ms : measured cost of the trial until then."""

    update: int
    key: str
    value: float
    elapsed_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """Everything that MLflow shall hold of one trial.

    points : in the order in which they are sent; more results only ever append. samples : (update, path below
    the folder of results) of every grid. spent_ms : cost so far.
    """

    cell: Cell
    name: str
    state: str
    update: int
    dataset: str
    params: Mapping[str, str]
    tags: Mapping[str, str]
    points: tuple[Point, ...]
    samples: tuple[tuple[int, str], ...]
    spent_ms: int


def fingerprint(points: Sequence[Point]) -> str:
    """16 hex digits of what was sent: update, key and value of every point."""
    text = "\n".join(f"{point.update} {point.key} {point.value!r}" for point in points)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def run_records(
    trials: pd.DataFrame,
    evaluations: pd.DataFrame,
    diagnostics: pd.DataFrame,
    samples: pd.DataFrame,
    *,
    headline: str,
) -> list[RunRecord]:
    """One record per row of `trials`, from the store's frames of the same trials.

    Rows beyond a trial's last_update are left out: they came after `trials` was read, and may be incomplete.
    """
    shown = diagnostics if diagnostics.empty else diagnostics[~diagnostics["name"].str.fullmatch(_UNSHOWN)]
    scores, means, grids = _by_cell(evaluations), _by_cell(shown), _by_cell(samples)
    records = []
    for trial in rows_of(trials):
        cell = cell_of(trial)
        parts = [
            [row for row in rows[cell] if row["update"] <= trial["last_update"]] for rows in (scores, means, grids)
        ]
        records.append(_record(trial, *parts, headline=headline))
    return records


def _record(
    trial: Mapping[str, Any],
    scores: Sequence[Mapping[str, Any]],
    means: Sequence[Mapping[str, Any]],
    grids: Sequence[Mapping[str, Any]],
    *,
    headline: str,
) -> RunRecord:
    config = json.loads(trial["config"])
    elapsed_ms = _elapsed_ms(scores, means)
    best, final = _summary(scores, elapsed_ms, [headline, *config.get("protocols", ())])
    points = sorted(_points(scores, means, elapsed_ms) + best, key=lambda point: (point.update, point.key))
    return RunRecord(
        cell=cell_of(trial),
        name=f"{trial['method']} {trial['setting']} s{trial['seed']}",
        state=str(trial["state"]),
        update=int(trial["last_update"]),
        dataset=str(trial["dataset"]),
        params=_params(trial, config),
        tags=_tags(trial),
        # Behind everything else: a trial becomes completed after its last evaluation was sent.
        points=(*points, *(final if trial["state"] == "completed" else ()), *_costs(trial)),
        samples=tuple((int(row["update"]), str(row["path"])) for row in grids),
        spent_ms=round(1000 * (trial["train_s"] + trial["evaluate_s"])),
    )


def _costs(trial: Mapping[str, Any]) -> list[Point]:
    """What a trial that has ended took, s: all that is known of its use of the machine beside seconds per update."""
    if trial["state"] not in ("completed", "diverged"):
        return []
    spent_ms = round(1000 * (trial["train_s"] + trial["evaluate_s"]))
    return [
        Point(int(trial["last_update"]), f"{_SYSTEM}{name}", float(trial[name]), spent_ms)
        for name in ("train_s", "evaluate_s")
    ]


def cell_of(row: Mapping[str, Any]) -> Cell:
    """What a run is found by, from any row of the store's frames."""
    return str(row["digest"]), str(row["method"]), str(row["setting"])


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame as dictionaries."""
    return cast("list[dict[str, Any]]", frame.to_dict("records"))


def _by_cell(frame: pd.DataFrame) -> defaultdict[Cell, list[dict[str, Any]]]:
    rows: defaultdict[Cell, list[dict[str, Any]]] = defaultdict(list)
    for row in rows_of(frame):
        rows[cell_of(row)].append(row)
    return rows


def _points(
    scores: Sequence[Mapping[str, Any]], means: Sequence[Mapping[str, Any]], elapsed_ms: Mapping[int, int]
) -> list[Point]:
    """Scores under their protocol's name, spreads under "spread/kid gen...", diagnostics under their own name, those
    of time as system metrics.
    """
    values = [(row["update"], row["protocol"], row["value"]) for row in scores]
    values += [(row["update"], f"spread/{row['protocol'].replace('/', ' ')}", row["spread"]) for row in scores]
    values += [(row["update"], _group(row["name"]), row["value"]) for row in means]
    return [
        Point(int(update), metric_key(key), float(value), elapsed_ms[update])
        for update, key, value in values
        if value is not None and math.isfinite(value)
    ]


def _group(diagnostic: str) -> str:
    return f"{_SYSTEM}{diagnostic}" if diagnostic == _PACE else diagnostic


def _elapsed_ms(scores: Sequence[Mapping[str, Any]], means: Sequence[Mapping[str, Any]]) -> dict[int, int]:
    """Update -> measured ms of training and evaluating until then: MLflow's time axis, the same at every sync."""
    cost_s: defaultdict[int, float] = defaultdict(float)
    for row in scores:
        cost_s[row["update"]] += _finite(row["seconds"])
    updates = sorted({row["update"] for row in (*scores, *means)})
    told_s = {row["update"]: _finite(row["value"]) for row in means if row["name"] == _PACE}
    # An evaluation tells it for all updates since the one before, those of diagnoses among them.
    per_update_s, latest_s = {}, 0.0
    for update in reversed(updates):
        per_update_s[update] = latest_s = told_s.get(update, latest_s)
    elapsed: dict[int, int] = {}
    total_s, before = 0.0, 0
    for update in updates:
        total_s += cost_s[update] + per_update_s[update] * (update - before)
        elapsed[update], before = round(1000 * total_s), update
    return elapsed


def _finite(value: float | None) -> float:
    return float(value) if value is not None and math.isfinite(value) else 0.0


def _summary(
    scores: Sequence[Mapping[str, Any]], elapsed_ms: Mapping[int, int], protocols: Sequence[str]
) -> tuple[list[Point], list[Point]]:
    """fid_best so far at every update, and fid_final: of each metric the first of `protocols` (short names)."""
    chosen: dict[str, str] = {}
    for name in protocols:
        chosen.setdefault(name.partition("/")[0], name)
    best: list[Point] = []
    final: list[Point] = []
    for metric, protocol in chosen.items():
        better = min if parse(protocol).lower_is_better else max
        values = {
            int(row["update"]): float(row["value"])
            for row in scores
            if is_protocol(str(row["protocol"]), protocol) and row["value"] is not None and math.isfinite(row["value"])
        }
        so_far = accumulate((values[update] for update in sorted(values)), better)
        best += [
            Point(update, metric_key(f"{metric}_best"), value, elapsed_ms[update])
            for update, value in zip(sorted(values), so_far, strict=True)
        ]
        if values:
            last = max(values)
            final.append(Point(last, metric_key(f"{metric}_final"), values[last], elapsed_ms[last]))
    return best, final


def metric_key(name: str) -> str:
    """`name` in the letters that MLflow allows (word characters, space, . - : and /), as a path of its own."""
    parts = [re.sub(r"[^\w.\- :]", "_", part, flags=re.ASCII) for part in name.split("/")]
    kept = [part for part in parts if part.strip(". ")]
    return "/".join(kept)[:_LONGEST_KEY] or "unnamed"


def text_value(value: object) -> str:
    """`value` as a parameter's or tag's text: no passwords, of bounded length."""
    text = hide_credentials(value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str))
    return text if len(text) <= _LONGEST_TEXT else "…" + text[1 - _LONGEST_TEXT :]


def _params(trial: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, str]:
    """The cell and every field of the config, as short texts."""
    shown: dict[str, Any] = {"method": trial["method"], "setting": trial["setting"], **config}
    shown["regularizers"] = " + ".join(_call(item) for item in config.get("regularizers", ())) or "none"
    shown["protocols"] = ", ".join(config.get("protocols", ())) or "none"
    return {metric_key(key): text_value(value) for key, value in shown.items()}


def _call(regularizer: Mapping[str, Any]) -> str:
    """A regularizer as text: gradient-penalty(weight=10.0)."""
    fields = ", ".join(f"{key}={value}" for key, value in regularizer.items() if key != "name")
    return f"{regularizer['name']}({fields})"


def _tags(trial: Mapping[str, Any]) -> dict[str, str]:
    """What a trial is and how it stands; why it diverged or failed, empty otherwise."""
    texts = {name: str(trial[name]) for name in ("digest", "method", "setting", "state", "reason")}
    return {name: text_value(text) for name, text in {**texts, "error": str(trial["error"])}.items()}


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, keys joined by dots."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found.update(flat(value, f"{prefix}{key}."))
        else:
            found[f"{prefix}{key}"] = value
    return found


def summary_rows(board: Board) -> list[dict[str, Any]]:
    """One row per method and setting: number of trials in every state, median score at the last update."""
    return [
        {"method": method, "setting": setting, **cell.counts, f"{board.metric} (median over seeds)": cell.value}
        for method in board.methods
        for setting in board.settings
        for cell in [board.cell(method, setting)]
    ]


def verdict_rows(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """One row per claim, in words."""
    return [
        {
            "claim": verdict.claim,
            "verdict": verdict.verdict,
            "effect [interval]": effect_text(verdict),
            "interval": level_text(verdict.level),
            "adjusted p": p_text(verdict.p_value),
            "measured as": verdict.effect_label,
            "seeds": verdict.num_seeds,
            "seeds needed": verdict.seeds_needed_text,
            "protocol": verdict.protocol,
            "explanation": verdict.explanation,
        }
        for verdict in verdicts
    ]


def table_json(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows in the form of MLflow's table artifacts."""
    columns = list(rows[0]) if rows else []
    return json.dumps({"columns": columns, "data": [[row[name] for name in columns] for row in rows]})


def verdict_note(verdicts: Sequence[Verdict]) -> str:
    """The verdicts as Markdown, for a run's description."""
    return "\n".join(f"- **{v.claim}**: {v.verdict}, {effect_text(v)}. {v.explanation}" for v in verdicts)
