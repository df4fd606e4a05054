"""The report: one page that needs no network, tells the truth about what is missing, and is safe with any name."""

import dataclasses
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from dashboards.figures import FIGURES
from sngan.config import TrialConfig
from sngan.errors import InputError
from sngan.results import Evaluation
from sweeps.claims import claims_about
from sweeps.records import StudyRecords
from sweeps.reporting import judge_study
from sweeps.store import open_store
from sweeps.studies.robustness_claims import ROBUSTNESS_CLAIMS
from sweeps.study import PlannedTrial
from sweeps.wording import level_text, p_text
from tests.dashboards.synthetic import (
    CLAIM,
    FID,
    PROVENANCE,
    Story,
    Sweep,
    make_preset,
    make_study,
    open_sweep,
    page_of,
    score,
)

FETCHING = {"src", "srcset", "data", "poster", "action", "background", "formaction", "manifest"}

# Figures of what is varied in names, and of searches.
OF_VARIED = ("landscape", "setting-curves", "variants", "budget-curves", "best-share", "importance")


class Page(HTMLParser):
    """A page taken apart: tags with their attributes, text without scripts and styles, scripts of data."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.styles = "", ""
        self.specs: dict[str, Any] = {}
        self._inside: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag in ("script", "style"):
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.text += f" {' '.join(data.split())}"
        elif self._inside[-1] == "style":
            self.styles += data
        elif self.tags[-1][1].get("type") == "application/json":
            self.specs[str(self.tags[-1][1]["id"])] = json.loads(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


ONE = ("heat-map",)  # for tests that do not look at figures


@pytest.fixture(scope="module")
def written(full: Sweep) -> Path:
    return full.report()


@pytest.fixture(scope="module")
def page(written: Path) -> Page:
    return Page(written)


def test_nothing_is_fetched(page: Page) -> None:
    for tag, attributes in page.tags:
        for name in FETCHING & attributes.keys():
            assert str(attributes[name]).startswith("data:"), (tag, name, str(attributes[name])[:80])
        if tag == "link":
            assert str(attributes["href"]).startswith("data:")
        assert not any(name.startswith("on") for name in attributes), "no inline handlers"
    assert "url(" not in page.styles
    assert "@import" not in page.styles
    for spec in page.specs.values():
        assert not re.search(r'"(url|href)":|https?://', json.dumps(spec))
    policy = next(tag["content"] for tag in page.all("meta") if tag.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "http" not in policy


def test_links_lead_to_files_beside_the_page_or_into_it(written: Path, page: Page) -> None:
    folder = written.parent
    anchors = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    links = [str(link["href"]) for link in page.all("a")]
    assert len(links) > 30
    for link in links:
        assert link.removeprefix("#") in anchors if link.startswith("#") else (folder / link).stat().st_size > 100
    assert sorted(path.name for path in folder.iterdir()) == ["figures", "index.html", "tables"]
    tables = {"verdicts", "summary", "scores", "best-settings"}
    assert {path.name for path in (folder / "tables").iterdir()} == {
        f"{t}.{e}" for t in tables for e in ("md", "tex", "csv")
    }
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_every_figure_is_there_with_its_texts(full: Sweep, page: Page) -> None:
    for name, figure in FIGURES.items():
        data = figure.prepare(full.frames())
        for text in (figure.title, figure.question, figure.marks, data.seeds):
            assert text in page.text
        assert bool(data.absent) == (name in OF_VARIED), "no method and no setting of this sweep is varied"
        if name not in ("sample-grids", *OF_VARIED):
            assert f"spec-{name}" in page.specs
            chart = next(tag for tag in page.all("div") if tag.get("id") == f"chart-{name}")
            assert chart["aria-label"] == data.alt_text
    assert len([tag for tag in page.all("img") if str(tag.get("alt")).endswith("update 800")]) == 62


def test_every_verdict_stands_before_the_figures(tmp_path: Path) -> None:
    claims = claims_about(ROBUSTNESS_CLAIMS, "cifar10")
    sweep = open_sweep(tmp_path, make_preset(seeds=6), Story(grids=False), claims=claims)
    study = dataclasses.replace(sweep.study, figures=("heat-map",))
    page = Page(page_of(sweep.store, study, sweep.preset, storage_dir=tmp_path, folder=tmp_path / "report"))
    verdicts = judge_study(StudyRecords(store=sweep.store, study=sweep.study, preset=sweep.preset))
    assert len(verdicts) == len(claims) == 9
    assert len({verdict.verdict for verdict in verdicts}) > 1
    badges = [tag["class"] for tag in page.all("span") if str(tag.get("class")).startswith("badge")]
    assert badges == [f"badge {verdict.verdict}" for verdict in verdicts]
    for verdict, claim in zip(verdicts, claims, strict=True):
        for text in (claim.sentence, claim.source, verdict.explanation, verdict.effect_label, f"{verdict.low:+.3g}"):
            assert text in page.text, text
            assert page.text.index(text) < page.text.index(FIGURES["heat-map"].question)
        assert f"Note: {claim.note}" in page.text or not claim.note
        assert f"{level_text(verdict.level)} interval, adjusted p {p_text(verdict.p_value)}" in page.text
    assert "In at most 2.5 % of studies like this one any of its 9 claims is wrongly supported" in page.text
    assert "chosen beforehand" in page.text


def test_the_caveat_stands_on_top_of_the_page_and_in_every_section(full: Sweep, page: Page) -> None:
    caveat = full.preset.caveat
    sections = len(page.all("section"))
    assert sections == 7
    assert page.text.index(caveat) < page.text.index("planned trials have a result")
    assert page.text.count(caveat) >= 1 + sections + len(FIGURES) + 1
    assert page.text.index(caveat) < page.text.index(CLAIM.sentence)


def test_without_a_caveat_there_is_no_empty_banner(tmp_path: Path) -> None:
    preset = dataclasses.replace(make_preset(methods=("sn",), settings=("A",), seeds=1), caveat="")
    page = Page(open_sweep(tmp_path, preset, Story()).report(figures=ONE))
    assert not any("caveat" in str(tag.get("class")) for _, tag in page.tags)


def test_an_unfinished_sweep_says_so(unfinished: Sweep, page: Page) -> None:
    partly = Page(unfinished.report(figures=ONE))
    assert "Unfinished. 8 of 18 planned trials have a result (5 still to run, 5 failed)." in partly.text
    assert "OSError: no space left on device" in partly.text
    assert "Unfinished." not in page.text
    assert "All 132 planned trials have a result; 4 diverged." in page.text


def test_an_empty_store_gives_a_page(empty: Sweep) -> None:
    page = Page(empty.report())
    assert "No trial of this study was launched into this store." in page.text
    assert not page.specs
    for figure in FIGURES.values():
        assert figure.prepare(empty.frames()).absent in page.text


def test_values_that_are_not_finite_never_reach_the_page_as_numbers(tmp_path: Path) -> None:
    preset = make_preset(methods=("sn", "none"), settings=("A",), seeds=2)
    sweep = open_sweep(tmp_path, preset, None)
    trials = [PlannedTrial(method="sn", setting="A", seed=seed, config=TrialConfig(seed=seed)) for seed in range(2)]
    sweep.store.register(sweep.study.name, preset.name, {"question": "?"}, trials)
    for trial in trials:
        evaluation = Evaluation(
            update=1000,
            scores=(score(FID, "fid", float("nan"), None, None),),
            diagnostics={"seconds_per_update": float("inf")},
            train_s=1.0,
            evaluate_s=1.0,
            samples=None,
        )
        sweep.store.record(trial.digest, evaluation)
    page = Page(sweep.report())
    assert not page.specs
    assert "NaN" not in page.text
    assert "0 of 2 planned trials have a result" in page.text


def test_hostile_names_are_harmless(tmp_path: Path) -> None:
    method, setting = "<script>alert(1)</script>", "\"'><img src=x onerror=alert(2)>|\\"
    preset = dataclasses.replace(
        make_preset(), name="q", description="</style><b id=b>", caveat="</script><b id=c>{{ 7 * 7 }}"
    )
    study = make_study(preset)
    store = open_store(f"sqlite:///{tmp_path}/results.db")
    config = TrialConfig(updates=800)
    trials = [PlannedTrial(method=method, setting=setting, seed=s, config=config.replace(seed=s)) for s in range(2)]
    store.register(study.name, preset.name, {}, trials)
    store.set_provenance(study.name, preset.name, {**PROVENANCE, "host": "<b id=d>", "inputs": {"</dd><b id=e>": "x"}})
    for trial in trials:
        evaluation = Evaluation(
            update=800, scores=(score(FID, "fid", 4.0 + trial.seed, 0.5, None),),
            diagnostics={"seconds_per_update": 0.01}, train_s=1.0, evaluate_s=1.0, samples=None,
        )  # fmt: skip
        store.record(trial.digest, evaluation)
        store.fail(trial.digest, "</td><b id=f>") if trial.seed else store.record(trial.digest, evaluation)
    path = page_of(store, study, preset, storage_dir=tmp_path, folder=tmp_path / "report")
    page = Page(path)
    assert not page.all("b")
    assert not page.all("img")
    assert [tag.get("type") for tag in page.all("script")].count(None) == 2, "the bundle and our own script, no other"
    assert "{{ 7 * 7 }}" in page.text
    assert method in page.text
    assert "</td><b id=f>" in page.text
    for table in (path.parent / "tables").glob("*.md"):
        assert "<script" not in table.read_text()
    assert "&lt;script>alert(1)" in (path.parent / "tables" / "scores.md").read_text()


def test_writing_again_replaces_the_page_and_removes_what_is_gone(tmp_path: Path) -> None:
    folder, preset = tmp_path / "report", make_preset(methods=("sn",), settings=("A",), seeds=1)
    open_sweep(tmp_path / "first", preset, Story()).report(folder, ONE)
    assert (folder / "figures" / "heat-map.pdf").exists()
    lost = open_sweep(tmp_path / "lost", preset, None)
    page = Page(lost.report(folder, ONE))
    assert "Unfinished." in page.text
    assert not list((folder / "figures").iterdir())


def test_a_place_that_cannot_be_written_is_one_clear_line(full: Sweep, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot write"):
        full.report(tmp_path / "file" / "report")


def test_an_unknown_figure_is_named(full: Sweep, tmp_path: Path) -> None:
    study = dataclasses.replace(full.study, figures=("heat-mop",))
    with pytest.raises(InputError, match="heat-map"):
        page_of(full.store, study, full.preset, storage_dir=full.folder, folder=tmp_path)


def test_provenance_configs_and_commands_are_told(full: Sweep, page: Page) -> None:
    assert str(PROVENANCE["git_commit"]) in page.text
    assert "ab12" * 16 in page.text
    assert "python 3.11.7, torch 2.15.0" in page.text
    digests = set(full.frames().trials["digest"])
    assert len(digests) == 132
    assert all(digest in page.text for digest in digests)
    assert "python -m sweeps.launch made-up --preset quick" in page.text
    assert "fid/gen600-test600-digits-1a2b3c4d" in page.text
