"""How often verdicts are wrong, how often they fall, and what adding seeds until they do saves, in simulated sweeps.

    python -m tests.benchmarks.stopping_rule

Nothing is trained: the FIDs of whole sweeps are drawn, and the truth is known. Of the nine claims of the study
`robustness` about CIFAR-10 the eight on FID are judged on them, by the rules and levels of the program; the ninth is
about the Inception Score, which is not drawn. The rules see all seeds of all sweeps in one table, which they judge seed
by seed anyway; a test holds that the result is that of `sweeps.claims.judge`.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd
from scipy.stats import binom

from dashboards.figures.rendering import save
from sngan.seeding import numpy_stream
from sweeps.claims import claims_about, first_look, rule_of
from sweeps.looks import ONCE, Looks
from sweeps.multiplicity import step_down
from sweeps.rules import Contrast
from sweeps.rules.evidence import ALPHA, p_values
from sweeps.scores import ScoreTable
from sweeps.statistics import BoolArray, FloatArray, IntArray
from sweeps.studies.robustness_claims import ROBUSTNESS_CLAIMS
from sweeps.study import Claim
from tests.benchmarks import options
from tests.benchmarks.machine import RESULTS, keep
from tests.sweeps.score_samples import table_of

SWEEPS = 1000
MAX_SEEDS = 20
_STUDIED = claims_about(ROBUSTNESS_CLAIMS, "cifar10")
CLAIMS = [claim for claim in _STUDIED if rule_of(claim).metric == "fid"]
LOOKS = Looks(first=first_look(len(_STUDIED)), last=MAX_SEEDS)
MOST_SEEDS = 40  # of a fixed design that is searched for

# Table 2 of arXiv:1802.05957, and an unregularized GAN as tuned by Kurach et al.: FID at the best setting.
BEST = {"none": 33.0, "weight-clipping": 42.6, "gan-gp": 37.7, "wgan-gp": 40.2, "batch-norm": 56.3, "layer-norm": 33.9,
        "weight-norm": 34.7, "orthonormal": 29.0, "sn": 29.3, "sn-hinge": 25.5}  # fmt: skip
METHODS = tuple(BEST)
FRAGILE = np.array([1.0, 1.2, 1.1, 3.0, 3.5, 4.0])  # times the best FID, at A to F
ROBUST = np.array([1.0, 1.1, 1.05, 1.2, 1.3, 1.4])
NOISES = ("normal", "skewed", "coins")
# Of equal methods these claims are true, and only "contradicted" is wrong; of all others every verdict is wrong.
TRUE_OF_EQUALS = {"wgan-gp-fails-at-high-rates", "sn-matches-orthonormal-at-best", "tuned-gan-comes-close"}


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What became of simulated sweeps.

    supported, contradicted : bool [sweeps, claims]. seeds : int [sweeps, claims], at the verdict or at the end.
    """

    supported: BoolArray
    contradicted: BoolArray
    seeds: IntArray

    @property
    def decided(self) -> BoolArray:
        """Whether there is a verdict, [sweeps, claims]."""
        return np.asarray(self.supported | self.contradicted)


def draw(factors: FloatArray, noise: str, spread: float, num_sweeps: int, num_seeds: int, stream: str) -> ScoreTable:
    """A table with `num_sweeps` x `num_seeds` seeds, those of a sweep together; its FIDs are `factors` [M, S] x noise.

    noise : "normal" and "skewed" (a long tail of bad runs) in log FID, with standard deviation `spread`, a fifth of its
    variance shared by all methods with the same seed; "coins": the same as normal, and every run at F collapses or not,
    like a coin.
    """
    generator = numpy_stream(0, "bootstrap", NOISES.index(noise), *stream.encode())
    shape = (*factors.shape, num_sweeps * num_seeds)
    own = generator.standard_normal(shape) if noise != "skewed" else generator.exponential(size=shape) - 1
    shared = generator.standard_normal((1, *shape[1:]))
    values = factors[..., None] * np.exp(spread * (np.sqrt(0.8) * own + np.sqrt(0.2) * shared))
    if noise == "coins":
        values[:, -1] *= np.where(generator.random(shape[::2]) < 0.5, 10.0, 1.0)
    return table_of(values, METHODS)


def judge_sweeps(
    claims: Sequence[Claim], table: ScoreTable, num_seeds: int, looks: Looks, *, naive: bool = False
) -> Judged:
    """Judge all sweeps of `draw` at every look; `naive` takes every look as if it were the only one.

    With looks ONCE: once, with all seeds.
    """
    cases = [_per_seed(rule_of(claim).contrasts(table), num_seeds) for claim in claims]
    num_sweeps = cases[0][0][1].shape[0]
    p_for, p_against = np.ones((num_sweeps, len(claims))), np.ones((num_sweeps, len(claims)))
    supported, contradicted = (np.zeros(p_for.shape, dtype=bool) for _ in range(2))
    seeds = np.full(p_for.shape, num_seeds)
    for number in (num_seeds,) if looks == ONCE else looks.numbers_of_seeds:
        is_open = ~(supported | contradicted)
        for index, contrasts in enumerate(cases):
            above, below = _claim_p_values(contrasts, number, ONCE if naive else looks)
            p_for[:, index] = np.where(is_open[:, index], np.minimum(p_for[:, index], above), p_for[:, index])
            p_against[:, index] = np.where(
                is_open[:, index], np.minimum(p_against[:, index], below), p_against[:, index]
            )
        supported |= is_open & _rejected(p_for)
        contradicted |= is_open & _rejected(p_against) & ~supported
        seeds[is_open & (supported | contradicted)] = number
    return Judged(supported=supported, contradicted=contradicted, seeds=seeds)


def _per_seed(contrasts: Sequence[Contrast], num_seeds: int) -> list[tuple[Contrast, FloatArray]]:
    return [(contrast, contrast.per_seed.reshape(-1, num_seeds)) for contrast in contrasts]


def _claim_p_values(
    contrasts: Sequence[tuple[Contrast, FloatArray]], number: int, looks: Looks
) -> tuple[FloatArray, FloatArray]:
    """P values of "supported" and "contradicted" of one claim at one look, [sweeps] each."""
    above, below = [], []
    for contrast, per_seed in contrasts:
        seen = per_seed[:, :number]
        deviation = np.maximum(seen.std(axis=1, ddof=1), max(contrast.resolution / np.sqrt(12), 1e-12))
        mean = seen.mean(axis=1)
        above.append(p_values((mean - contrast.support_above) / deviation, number, looks))
        below.append(p_values((contrast.contradict_below - mean) / deviation, number, looks))
    return np.max(above, axis=0), np.minimum(1.0, len(contrasts) * np.min(below, axis=0))


def _rejected(p: FloatArray) -> BoolArray:
    """What Holm's procedure rejects at ALPHA, [sweeps, claims], sweep by sweep."""
    steps = [step_down(list(row), ALPHA) for row in p]
    return np.array([[step.adjusted <= ALPHA for step in row] for row in steps])


def wrong_among_equals(claims: Sequence[Claim], judged: Judged) -> BoolArray:
    """Whether any verdict of a sweep of equal methods is wrong, [sweeps]."""
    true = np.array([claim.name in TRUE_OF_EQUALS for claim in claims])
    return np.asarray((judged.contradicted | (judged.supported & ~true)).any(axis=1))


def equal_factors() -> FloatArray:
    """FIDs of ten methods that are all equal, [M, S]."""
    return np.tile(30 * FRAGILE, (len(METHODS), 1))


def true_factors() -> FloatArray:
    """FIDs of a world in which the claims of the paper are true, [M, S]."""
    return np.array([BEST[name] * (ROBUST if name in ("sn", "sn-hinge") else FRAGILE) for name in METHODS])


def error_rates(num_sweeps: int) -> pd.DataFrame:
    """Share of sweeps of equal methods with any wrong verdict, by kind of noise and procedure."""
    rows = []
    for noise in NOISES:
        table = draw(equal_factors(), noise, 0.2, num_sweeps, MAX_SEEDS, "equal")
        few = table_of(_first(table.values, MAX_SEEDS, LOOKS.first), METHODS)
        procedures = {
            f"{LOOKS.first} seeds, judged once": judge_sweeps(CLAIMS, few, LOOKS.first, ONCE),
            f"{MAX_SEEDS} seeds, judged once": judge_sweeps(CLAIMS, table, MAX_SEEDS, ONCE),
            "until decided": judge_sweeps(CLAIMS, table, MAX_SEEDS, LOOKS),
            "until decided, looks not corrected": judge_sweeps(CLAIMS, table, MAX_SEEDS, LOOKS, naive=True),
            "neither looks nor claims corrected": _each_alone(CLAIMS, table),
        }
        for name, judged in procedures.items():
            wrong = wrong_among_equals(CLAIMS, judged)
            rows.append({"noise": noise, "procedure": name, "wrong": float(wrong.mean())})
    return pd.DataFrame(rows)


def _each_alone(claims: Sequence[Claim], table: ScoreTable) -> Judged:
    """Every claim judged for itself after every seed, as if each look were the only one."""
    alone = [judge_sweeps([claim], table, MAX_SEEDS, LOOKS, naive=True) for claim in claims]
    return Judged(
        supported=np.hstack([found.supported for found in alone]),
        contradicted=np.hstack([found.contradicted for found in alone]),
        seeds=np.hstack([found.seeds for found in alone]),
    )


def _first(values: FloatArray, num_seeds: int, kept: int) -> FloatArray:
    """The first `kept` seeds of every sweep."""
    by_sweep = values.reshape(*values.shape[:2], -1, num_seeds)[..., :kept]
    return by_sweep.reshape(*values.shape[:2], -1)


def savings(num_sweeps: int) -> pd.DataFrame:
    """Claims decided rightly and runs used, until decided and with the fixed number of seeds that decides as many."""
    rows = []
    for noise in ("normal", "skewed"):
        for spread in (0.05, 0.1, 0.2, 0.4):
            table = draw(true_factors(), noise, spread, num_sweeps, MOST_SEEDS, "true")
            judged = judge_sweeps(
                CLAIMS, table_of(_first(table.values, MOST_SEEDS, MAX_SEEDS), METHODS), MAX_SEEDS, LOOKS
            )
            power = float(judged.supported.mean())
            fixed, fixed_power = _fixed_with(CLAIMS, table, power)
            used = float(np.mean([_runs(CLAIMS, seeds) for seeds in judged.seeds]))
            rows.append(
                {
                    "noise": noise,
                    "spread": spread,
                    "rightly supported": power,
                    "wrongly contradicted": float(judged.contradicted.any(axis=1).mean()),
                    "mean seeds of a claim": float(judged.seeds.mean()),
                    "fixed seeds": fixed,
                    "fixed supported": fixed_power,
                    "runs": used,
                    "fixed runs": _runs(CLAIMS, np.full(len(CLAIMS), fixed)),
                    "saved": 1 - used / _runs(CLAIMS, np.full(len(CLAIMS), fixed)),
                }
            )
    return pd.DataFrame(rows)


def _fixed_with(claims: Sequence[Claim], table: ScoreTable, power: float) -> tuple[int, float]:
    """The smallest fixed number of seeds that supports at least as many of the claims, and what it supports."""
    for number in range(LOOKS.first, MOST_SEEDS + 1):
        few = table_of(_first(table.values, MOST_SEEDS, number), METHODS)
        found = float(judge_sweeps(claims, few, number, ONCE).supported.mean())
        if found >= power:
            break
    return number, found


def _runs(claims: Sequence[Claim], seeds: IntArray) -> int:
    """Runs of a sweep whose claims use so many seeds each: what several claims need is run once."""
    most: dict[tuple[str, str], int] = {}
    for claim, number in zip(claims, seeds, strict=True):
        rule = rule_of(claim)
        for method in rule.methods:
            for setting in rule.settings:
                most[method, setting] = max(most.get((method, setting), 0), int(number))
    return sum(most.values())


def figure(errors: pd.DataFrame, saved: pd.DataFrame) -> alt.Chart:
    """Wrong verdicts by procedure, and runs by noise, side by side."""
    order = list(dict.fromkeys(errors["procedure"]))
    bars = alt.Chart(errors).encode(y=alt.Y("procedure:N", sort=order, title=None, axis=alt.Axis(labelLimit=260)))
    wrong = bars.mark_bar(height=9).encode(
        x=alt.X("wrong:Q", title="sweeps with a wrong verdict, methods all equal", axis=alt.Axis(format="%")),
        yOffset=alt.YOffset("noise:N", sort=NOISES),
        color=alt.Color(
            "noise:N", sort=NOISES, scale=alt.Scale(range=["#0072b2", "#e69f00", "#555555"]), title="noise"
        ),
    )
    limit = alt.Chart(pd.DataFrame({"limit": [2 * ALPHA]})).mark_rule(strokeDash=[4, 3]).encode(x="limit:Q")
    long = saved[saved["noise"] == "normal"].melt("spread", ["runs", "fixed runs"], "design", "number")
    long["design"] = long["design"].map({"runs": "until decided", "fixed runs": "fixed seeds, same power"})
    runs = (
        alt.Chart(long)
        .mark_line(point=True)
        .encode(
            x=alt.X(
                "spread:Q",
                title="standard deviation of log FID over seeds",
                axis=alt.Axis(values=sorted(set(saved["spread"]))),
                scale=alt.Scale(type="log", domain=[0.04, 0.5]),
            ),
            y=alt.Y("number:Q", title="runs of a sweep"),
            color=alt.Color("design:N", scale=alt.Scale(range=["#777777", "#009e73"]), title="normal noise"),
        )
    )
    sides = [(wrong + limit).properties(width=300, height=240), runs.properties(width=260, height=240)]
    drawn = alt.hconcat(*sides, spacing=40).resolve_scale(color="independent")
    return drawn.configure_legend(orient="bottom", labelLimit=260)


def markdown(errors: pd.DataFrame, saved: pd.DataFrame, num_sweeps: int) -> str:
    """Both tables for people."""
    wide = errors.pivot(index="procedure", columns="noise", values="wrong").loc[errors["procedure"].unique()]
    low, high = 100 * binom.ppf([0.025, 0.975], num_sweeps, 2 * ALPHA) / num_sweeps
    lines = [
        "Sweeps of ten equal methods in which any claim got a wrong verdict. At most 5 % are promised; among "
        f"{num_sweeps:,} sweeps 5 % would be seen as {low:.1f} to {high:.1f} %.",
        "",
    ]
    lines += ["| procedure | " + " | ".join(NOISES) + " |", "|---|" + "---:|" * len(NOISES)]
    lines += [
        f"| {name} | " + " | ".join(f"{100 * row[n]:.1f} %" for n in NOISES) + " |" for name, row in wide.iterrows()
    ]
    lines += [
        "",
        f"A world in which all claims are true: at most {MAX_SEEDS} seeds, until decided, against the fixed number",
        "that supports at least as many claims:",
        "",
        "| noise | sd of log FID | claims supported | seeds of a claim | fixed seeds | runs | fixed runs | saved |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row['noise']} | {row['spread']:g} | {100 * row['rightly supported']:.0f} % | "
        f"{row['mean seeds of a claim']:.1f} | {row['fixed seeds']} | {row['runs']:.0f} | {row['fixed runs']} | "
        f"{100 * row['saved']:.0f} % |"
        for row in saved.to_dict("records")
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Simulate, and write JSON, Markdown and a figure to results/."""
    arguments = options.parsed(options.parser(__doc__))
    num_sweeps = 10 if arguments.smoke else SWEEPS
    errors, saved = error_rates(num_sweeps), savings(num_sweeps)
    folder = Path(tempfile.mkdtemp(prefix="sngan-bench-")) if arguments.smoke else RESULTS
    (folder / "stopping_rule.md").write_text(markdown(errors, saved, num_sweeps))
    save(figure(errors, saved), folder, "stopping_rule")
    rows: Mapping[str, object] = {
        "sweeps": num_sweeps,
        "looks": f"{LOOKS.first} to {LOOKS.last}",
        "wrong_verdicts": errors.to_dict("records"),
        "savings": saved.round(4).to_dict("records"),
    }
    keep("stopping_rule", options.command(), rows, smoke=arguments.smoke)


if __name__ == "__main__":
    main()
