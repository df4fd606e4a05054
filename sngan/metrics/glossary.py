"""Writes the tables of README.md beside this file from the catalogs of metrics, networks and protocols.

python -m sngan.metrics.glossary
"""

from collections.abc import Iterator
from pathlib import Path

from sngan.metrics.catalog import METRICS
from sngan.metrics.extractors import EXTRACTORS
from sngan.metrics.protocols import PROTOCOLS

PAGE = Path(__file__).with_name("README.md")
_BEGIN, _END = "<!-- catalogs: begin -->\n", "<!-- catalogs: end -->\n"


def _tables() -> Iterator[str]:
    yield "## Metrics\n"
    yield "| begins with | is | better | what it says |\n|---|---|---|---|"
    for name in METRICS:
        metric = METRICS[name]
        direction = "lower" if metric.lower_is_better else "higher"
        yield f"| `{name}/` | {metric.label} | {direction} | {metric.meaning} |"
    yield "\n## Networks\n"
    yield "| ends with | is |\n|---|---|"
    for name in EXTRACTORS:
        yield f"| `-{name}` | {EXTRACTORS[name].description} |"
    yield "\n## Recommended protocols\n"
    yield "Any other counts are possible; these have a reason.\n"
    yield "| protocol | who uses it |\n|---|---|"
    for name in PROTOCOLS:
        yield f"| `{name}` | {PROTOCOLS[name].usage} |"


def with_tables(page: str) -> str:
    """The page with the tables of today's catalogs between its two marks."""
    before, _, rest = page.partition(_BEGIN)
    after = rest.partition(_END)[2]
    return f"{before}{_BEGIN}\n{chr(10).join(_tables())}\n\n{_END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text()))
