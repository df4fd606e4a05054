"""Every page on every kind of store, as Streamlit runs it, without a browser."""

import itertools
import json
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow.ipc
import pytest
from streamlit.testing.v1 import AppTest

from dashboards.app.menu import PAGES
from dashboards.app.snapshots import Source
from dashboards.figures import FIGURES
from sngan.config import TrialConfig
from sweeps import tracking
from sweeps.board import Board
from sweeps.store import open_store
from sweeps.study import plan
from sweeps.tracking.server import NOLOAD_WARNING
from tests.dashboards.app.conftest import Sources, opened
from tests.dashboards.app.stores import LAUNCH, SCRIPT, STORES, told
from tests.dashboards.synthetic import FID, Story, make_preset
from tests.sweeps.tracking_samples import client_of

TITLES = [page.title for page in PAGES]


@pytest.mark.parametrize("title", TITLES)
@pytest.mark.parametrize("kind", STORES)
def test_a_page_says_something_sensible_of_every_store(sources: Sources, kind: str, title: str) -> None:
    app = opened(sources(kind), title)
    assert not app.exception
    assert not app.error or (kind == "hostile" and title == "Trial")
    assert app.title[0].value == title
    shown = app.get("vega_lite_chart") or app.get("html") or app.info
    assert shown, "a page that shows nothing"
    assert SCRIPT not in "".join(str(element.proto.body) for element in app.get("html"))


def rows_of(app: AppTest) -> pd.DataFrame:
    """The data of the page's first chart; Streamlit takes it out of the specification, as Arrow."""
    proto = app.get("vega_lite_chart")[0].proto
    tables = [proto.data.data, *(dataset.data.data for dataset in proto.datasets)]
    return max((pyarrow.ipc.open_stream(table).read_pandas() for table in tables if table), key=len)


def html_of(app: AppTest) -> str:
    """All HTML of the page."""
    return "".join(str(element.proto.body) for element in app.get("html"))


def test_the_matrix_has_the_terminals_numbers(sources: Sources) -> None:
    source = sources("running")
    html = html_of(opened(source, "Now"))
    with open_store(source.database) as store:
        study, label = next(iter(store.studies()[["study", "preset"]].itertuples(index=False, name=None)))
        board = Board.of_store(store.trials(study, label), store.newest_values(study, label, FID), FID)
    cells = re.findall(r'<span class="value">([^<]*)</span>', html)
    assert len(cells) == len(board.methods) * len(board.settings)
    for text, (method, setting) in zip(cells, itertools.product(board.methods, board.settings), strict=True):
        value = board.cell(method, setting).value
        if value is not None:
            assert float(text) == pytest.approx(value, rel=0.005)
    counts = board.counts()
    assert f"{board.num_done} of {board.num_trials}" in html
    assert re.search(rf"Failed</dt><dd>{counts['failed']}<", html)


def test_a_failure_shows_its_last_line_and_the_command_that_tries_it_again(sources: Sources) -> None:
    app = opened(sources("running"), "Now")
    assert any("no space left on device" in expander.label for expander in app.expander)
    assert "python -m sweeps.launch robustness" in [code.value for code in app.code]


def test_a_sweep_whose_launch_died_is_not_shown_as_going_on(tmp_path: Path) -> None:
    source = STORES["running"](tmp_path)
    app = opened(source, "Now")
    assert any(LAUNCH in caption.value.replace("\\", "") for caption in app.caption)
    assert not app.warning
    with open_store(source.database) as store:
        store.release("here")
    app = opened(source, "Now")
    (warning,) = app.warning
    assert "no launch is at work" in warning.value
    assert not any("At work" in caption.value for caption in app.caption)


def test_choices_stand_in_the_address(sources: Sources) -> None:
    app = opened(sources("whole"), "Compare", view="curves", methods=["sn", "wgan-gp"], settings="C")
    assert set(rows_of(app)["method"]) == {"sn", "wgan-gp"}
    assert set(rows_of(app)["setting"]) == {"C"}


def test_a_search_is_compared_by_what_it_found(sources: Sources) -> None:
    app = opened(sources("searched"), "Compare")
    assert [header.value for header in app.header] == [
        FIGURES[name].title for name in ("budget-curves", "best-share", "importance")
    ]
    assert len(app.get("vega_lite_chart")) == 3
    app = opened(sources("searched"), "Compare", view="scores")  # of another study
    assert not app.exception
    assert app.get("vega_lite_chart")


def test_the_evidence_of_a_verdict_is_the_runs_of_its_methods(sources: Sources) -> None:
    app = opened(sources("whole"), "Verdicts")
    assert not app.get("vega_lite_chart")
    app.toggle(key="evidence-sn-spreads-less").set_value(True).run()
    assert not app.exception
    methods = {"sn", "wgan-gp", "weight-norm", "weight-clipping"}
    assert set(rows_of(app)["method"].dropna()) == methods
    runs = app.dataframe[0].value
    assert set(runs["method"]) == methods
    assert len(runs) == 4 * 6 * 2


def test_the_evidence_of_a_verdict_on_a_measure_is_one_number_per_run(tmp_path: Path) -> None:
    source = told(tmp_path, Story(), study="cost", seeds=2)
    app = opened(source, "Verdicts")
    (claim, *_) = (toggle.key for toggle in app.toggle)
    app.toggle(key=claim).set_value(True).run()
    assert not app.exception
    runs = app.dataframe[0].value
    assert any("update" in str(column) for column in runs.columns)
    assert runs.iloc[:, 3].notna().any()


@pytest.mark.parametrize(("threshold", "works"), [("0.05", True), ("0.95", False)])
def test_the_threshold_moves_the_region(sources: Sources, threshold: str, works: bool) -> None:
    rows = rows_of(opened(sources("landscape"), "Landscape", methods="sn", threshold=threshold))
    assert set(rows["works"]) == {works}


def test_a_trial_is_repeated_by_its_command(sources: Sources, tmp_path: Path) -> None:
    source = sources("whole")
    app = opened(source, "Trial", method="wgan-gp", setting="D", seed="1")
    command = app.code[-1].value
    config = TrialConfig.from_dict(json.loads(command.splitlines()[-2]))
    with open_store(source.database) as store:
        study, label = next(iter(store.studies()[["study", "preset"]].itertuples(index=False, name=None)))
        trials = store.trials(study, label).set_index(["method", "setting", "seed"])
    assert config.digest == trials.loc[("wgan-gp", "D", 1), "digest"]
    assert command.splitlines()[-3].startswith("python -m sngan train ")


def test_a_trial_tells_where_it_ran_with_which_versions_and_what_its_attempts_said(tmp_path: Path) -> None:
    source = told(tmp_path, Story(), seeds=1, most=1)
    with open_store(source.database) as store:
        study, label = next(iter(store.studies()[["study", "preset"]].itertuples(index=False, name=None)))
        digest = str(store.trials(study, label)["digest"].iloc[0])
        store.start_attempt(digest, host="far-away", device="cuda", versions={"torch": "9.8.7"})
        store.fail(digest, "Traceback\nValueError: no luck")
    app = opened(source, "Trial")
    html = html_of(app)
    assert "far-away" in html
    assert "<dt>torch</dt><dd>9.8.7</dd>" in html
    assert "ValueError: no luck" in html
    assert "Provenance" in [header.value for header in app.header]
    assert any("What attempt 2 said" in expander.label for expander in app.expander)


@pytest.mark.filterwarnings(f"ignore:{NOLOAD_WARNING}:DeprecationWarning")
def test_a_trials_run_is_found_in_mlflow_and_its_link_stays(tmp_path: Path) -> None:
    uri = tracking.default_uri(tmp_path)
    source = replace(told(tmp_path, Story(), seeds=1, most=1), mlflow=uri)
    with open_store(source.database) as store:
        study, label = next(iter(store.studies()[["study", "preset"]].itertuples(index=False, name=None)))
        digest = str(store.trials(study, label)["digest"].iloc[0])
    app = opened(source, "Trial")
    assert not any("sync" in code.value for code in app.code), "nobody asked yet"
    app.button(key=f"mlflow-{digest}").click().run()
    assert any(" sync robustness " in code.value for code in app.code)
    client = client_of(uri)
    experiment = client.create_experiment("of the test")
    run = client.create_run(experiment, tags={"kind": "trial", "digest": digest})
    app.button(key=f"mlflow-{digest}").click().run()
    assert not app.exception
    for _ in range(2):
        (link,) = app.get("link_button")
        assert run.info.run_id in link.proto.url
        app.run()  # there is news


def test_samples_are_those_up_to_the_update(sources: Sources) -> None:
    app = opened(sources("whole"), "Samples", methods="sn", settings="A", update="400")
    assert html_of(app).count("<img") == 1
    assert "update 400" in html_of(app)


def test_an_empty_place_says_so_and_waits(tmp_path: Path) -> None:
    app = opened(Source(out=tmp_path, database=f"sqlite:///{tmp_path}/results.db"), "Now")
    assert not app.exception
    assert "No study was launched" in app.info[0].value
    assert not list(tmp_path.iterdir())


def test_a_store_that_vanishes_is_shown_as_it_was(tmp_path: Path) -> None:
    app = opened(STORES["one trial"](tmp_path), "Now")
    before = html_of(app)
    assert 'class="matrix"' in before
    for file in tmp_path.glob("results.db*"):
        file.unlink()
    app.run()
    assert not app.exception
    assert html_of(app) == before
    assert "results\\.db any more" in app.warning[0].value
    assert "This page shows what was read at" in app.warning[0].value


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "results.db").write_text("something else")
    app = opened(Source(out=tmp_path, database=f"sqlite:///{tmp_path}/results.db"), "Now")
    assert not app.exception
    assert r"results\.db" in app.error[0].value


def test_a_study_that_this_version_does_not_know_is_named(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path}/results.db") as store:
        store.register("tomorrow", "quick", {"question": "Who knows?"}, plan(make_preset(seeds=1)))
    app = opened(Source(out=tmp_path, database=f"sqlite:///{tmp_path}/results.db"), "Now")
    assert not app.exception
    assert "no study 'tomorrow'" in app.error[0].value
