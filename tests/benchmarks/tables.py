"""Writes the tables of results/README.md from the JSON files beside it; what stands around them is written by hand.

python -m tests.benchmarks.tables
"""

import json
from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any

from tests.benchmarks import options
from tests.benchmarks.machine import RESULTS
from tests.benchmarks.turns import Spread

PAGE = RESULTS / "README.md"
_BEGIN, _END = "<!-- tables: begin -->\n", "<!-- tables: end -->\n"
_TIMES = "ours / theirs"


def comparisons(results: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every comparison in a result with its name, whichever depth it stands at."""
    if _TIMES in results:
        yield ", ".join(path), results
    for name, value in results.items():
        if isinstance(value, dict) and name not in (_TIMES, "seconds"):
            yield from comparisons(value, (*path, name))


# Benchmark -> peer -> the ratio aimed at, where the benchmark's own file does not say it.
_TARGETS = {"fid_end_to_end": {"pytorch-fid": 0.4}, "training_update": {"torch-mimicry": 0.87}}
_QUICK_SWEEP_S = 240


def _holds(ours: float, target: float) -> str:
    return "yes" if ours <= target else "**no**"


def compared(loaded: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Lines of the table of all comparisons."""
    lines = ["| benchmark | case | against | ours / theirs | turns | target | holds |", "|---|---|---|---|---|---|---|"]
    for name, content in loaded.items():
        for case, found in comparisons(content["results"]):
            for peer, ratio in found[_TIMES].items():
                target = {**_TARGETS.get(name, {}), **found.get("targets", {})}.get(peer)
                told = ("", "") if target is None else (f"at most {target:g}", _holds(ratio["median"], target))
                cells = [name, case, peer, str(Spread(**ratio)), str(found["turns"]), *told]
                lines.append("| " + " | ".join(cells) + " |")
    return lines


def shares(loaded: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Lines of the table of training updates."""
    lines = ["| update | who | seconds, median | GFLOP | share of the matrix product's rate |", "|---|---|---|---|---|"]
    for case, found in loaded.get("training_update", {}).get("results", {}).items():
        for who, share in found["share_of_product_rate"].items():
            seconds = median(found["seconds"][who])
            gflop = found["gflop_per_update"][who]
            lines.append(f"| {case} | {who} | {seconds:.3g} | {gflop:.4g} | {share:.2f} |")
    return lines


def ceilings(loaded: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Lines of the table of the machine's ceilings."""
    lines = ["| ceiling | rate | |", "|---|---|---|"]
    for what, rate in loaded.get("machine_ceilings", {}).get("results", {}).items():
        shown = Spread(rate["median"], rate["low"], rate["high"])
        lines.append(f"| {what} | {shown} | {rate['unit']} |")
    return lines


def sweeps(loaded: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Lines of the table of whole sweeps: the targets of start, gaps and packing."""
    lines = ["| sweep | measured | ours | target | holds |", "|---|---|---|---|---|"]
    overhead = loaded.get("sweep_overhead", {}).get("results", {})
    for case, found in overhead.items():
        if isinstance(found, dict) and "target of ours, s" in found:
            ours = median(found["seconds"]["ours"])
            target = found["target of ours, s"]
            lines.append(f"| short trials | {case} | {ours:.3g} | {target:g} | {_holds(ours, target)} |")
    quick = loaded.get("quick_sweep", {}).get("results", {})
    if quick:
        wall = quick["sweep_s"]
        lines.append(f"| robustness, quick | wall_s | {wall:.3g} | {_QUICK_SWEEP_S} | {_holds(wall, _QUICK_SWEEP_S)} |")
    for case, target in quick.get("targets", {}).items():
        value = quick["by_attempts"][case]
        ours = value["median"] if isinstance(value, dict) else value
        lines.append(f"| robustness, quick | {case} | {ours:.3g} | {target:g} | {_holds(ours, target)} |")
    return lines


_GROWTH = {
    "rows_per_s": "rows a second",
    "database_mb": "database, MB",
    "status_s": "status, s",
    "dry_run_s": "dry run, s",
    "launch_done_s": "launch with nothing to do, s",
    "export_s": "export, s",
    "report_s": "report, s",
    "report_gb": "report, GB",
    "page_mb": "page, MB",
}


def growth(loaded: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Lines of the table of ever more trials in one study, 20 evaluations each."""
    lines = ["| trials | " + " | ".join(_GROWTH.values()) + " |", "|---:" * (1 + len(_GROWTH)) + "|"]
    for row in loaded.get("growth", {}).get("results", {}).values():
        cells = [str(row["trials"]), *(f"{row[name]:.5g}" for name in _GROWTH)]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def app(loaded: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Lines of the table of the app's pages in a browser."""
    lines = ["| store | page | what | median, s | longest, s |", "|---|---|---|---:|---:|"]
    for size, pages in loaded.get("app_pages", {}).get("results", {}).items():
        for page, found in pages.items():
            lines += [f"| {size} | {page} | {what} | {each['median_s']:.2f} | {each['longest_s']:.2f} |"
                      for what, each in found.items()]  # fmt: skip
    return lines


def queue(loaded: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Lines of the table of a study of many tiny trials."""
    lines = ["| queue | |", "|---|---:|"]
    for what, value in loaded.get("queued_trials", {}).get("results", {}).items():
        if not what.startswith("course"):
            shown = ", ".join(map(str, value)) if isinstance(value, list) else value
            lines.append(f"| {what} | {shown} |")
    return lines


def tables() -> str:
    """All tables as Markdown, from what is kept."""
    loaded = {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))}
    parts = [ceilings(loaded), compared(loaded), shares(loaded), sweeps(loaded), growth(loaded), queue(loaded)]
    parts.append(app(loaded))
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def rewritten(text: str) -> str:
    """The page with the tables of now."""
    before, rest = text.split(_BEGIN)
    after = rest.split(_END)[1]
    return f"{before}{_BEGIN}\n{tables()}\n{_END}{after}"


def main() -> None:
    arguments = options.parsed(options.parser(__doc__))
    text = rewritten(PAGE.read_text())
    if arguments.smoke:
        print(text)
    else:
        PAGE.write_text(text)
        print(PAGE)


if __name__ == "__main__":
    main()
