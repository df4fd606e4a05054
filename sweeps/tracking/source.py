"""What a mirror is made from: one study and preset in the store, and the folder of results beside it."""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sngan.errors import InputError
from sweeps.provenance import hide_credentials
from sweeps.store import ResultStore
from sweeps.study import Preset, Study
from sweeps.tracking.records import flat, metric_key, rows_of

_LONGEST_NOTE = 5_000  # characters of a description, the limit of an experiment's tags
_LONGEST_NAME = 250  # characters of an experiment's name; MLflow's databases take some more


@dataclass(slots=True, kw_only=True)
class SyncReport:
    """What a sync sent: runs created and changed, values (metrics) and files."""

    created: int = 0
    changed: int = 0
    values: int = 0
    files: int = 0

    def __str__(self) -> str:
        if not (self.created or self.changed or self.values or self.files):
            return "nothing was missing"
        return f"{self.created} runs created, {self.changed} changed, {self.values} values and {self.files} files sent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Launches:
    """What the store knows of a study's launches.

    starts : ISO 8601, in order. provenance : of the newest one. datasets : name -> digest, where it is known.
    """

    starts: tuple[str, ...]
    provenance: dict[str, Any]
    datasets: dict[str, str] = field(default_factory=dict)

    @property
    def newest(self) -> str:
        """Start of the newest launch, "" where none was noted."""
        return self.starts[-1] if self.starts else ""

    @property
    def owner(self) -> str:
        """A name for the store that stays when its folder moves: the first launch's start, hashed."""
        return hashlib.sha256(self.starts[0].encode()).hexdigest()[:12] if self.starts else "none"


@dataclass(frozen=True, kw_only=True)
class Source:
    """One study and preset in the store. label : the preset as the store names it."""

    store: ResultStore
    study: Study
    label: str
    storage_dir: Path

    @property
    def key(self) -> tuple[str, str]:
        """What the store's methods take."""
        return self.study.name, self.label

    @property
    def name(self) -> str:
        """Name of the experiment in MLflow: "robustness-quick"."""
        return f"{self.study.name}-{self.label}"[:_LONGEST_NAME]

    @property
    def file_name(self) -> str:
        """The name in letters that any folder takes."""
        return metric_key(self.name).replace("/", "-")

    @property
    def preset(self) -> Preset:
        """The preset that the label names. Raises InputError where the study has no such preset."""
        return self.study.preset(self.label)

    def description(self, launches: Launches) -> str:
        """The question, what is done, where claims are from, the protocols, report and newest command, as Markdown.

        With the caveat that stands on every page. Paths are told as from the folder of results: others see this, too.
        """
        caveat = f"**{self.preset.caveat}**" if self.preset.caveat else ""
        papers = _listed("Claims from", (_paper(claim.source) for claim in self.study.claims))
        others = (name for name in self.preset.config.get("protocols", ()) if name != self.preset.headline)
        protocols = _listed("Measured as", (f"`{name}`" for name in (self.preset.headline, *others)))
        report = f"Report: `report.html` with the newest launch, and `OUT/{self.report_path.as_posix()}/index.html`."
        command = hide_credentials(str(launches.provenance.get("command", "")))
        launched = f"Newest launch: `{command}`" if command else ""
        question = f"**{self.study.question}**"
        parts = (question, self.study.description, self.preset.description, caveat, papers, protocols, report, launched)
        return "\n\n".join(part for part in parts if part)[:_LONGEST_NOTE]

    @property
    def report_folder(self) -> Path:
        """Where the report is written."""
        return self.storage_dir / self.report_path

    @property
    def report_path(self) -> Path:
        """The same as from the folder of results."""
        return Path("reports") / f"{self.study.name}-{self.label}"

    def progress(self) -> dict[str, tuple[str, int]]:
        """Digest -> state and last update: enough to see that nothing is new."""
        rows = rows_of(self.store.progress(*self.key))
        return {str(row["digest"]): (str(row["state"]), int(row["last_update"])) for row in rows}

    def launches(self) -> Launches:
        """The study's launches. Raises InputError where the store does not know it."""
        studies = self.store.studies()
        rows = rows_of(studies[(studies["study"] == self.study.name) & (studies["preset"] == self.label)])
        if not rows:
            raise InputError(f"study {self.study.name!r} with preset {self.label!r} was never launched here.")
        provenance = json.loads(rows[0]["provenance"])
        known = {key.rpartition(".")[2]: str(value) for key, value in flat(provenance).items()}
        named = "dataset" in known and "dataset_digest" in known
        return Launches(
            starts=tuple(str(start) for start in json.loads(rows[0]["launches"])),
            provenance=provenance,
            datasets={known["dataset"]: known["dataset_digest"]} if named else {},
        )


def _paper(source: str) -> str:
    """The paper of a claim's source, without section and figure; the whole source where it names no arXiv number."""
    found = re.match(r".*?\barXiv:[\d.]+\d", source)
    return found[0] if found else source


def _listed(what: str, texts: Iterable[str]) -> str:
    """A sentence with every text once, "" without any."""
    once = list(dict.fromkeys(texts))
    return f"{what} {'; '.join(once)}." if once else ""
