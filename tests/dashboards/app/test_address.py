"""The address of a view: it makes every choice, names every choice, and what it names in vain is told."""

from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboards.app import address
from dashboards.app.snapshots import Source
from tests.dashboards.app.conftest import Sources, opened
from tests.dashboards.app.stores import told
from tests.dashboards.synthetic import Story


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """A store of two studies that share no setting, and methods in part."""
    out: Path = tmp_path_factory.mktemp("two")
    told(out, Story(), study="robustness", seeds=1, most=4)
    return told(out, Story(), study="landscape", seeds=2, most=4)


def chosen(app: AppTest, **choices: Any) -> AppTest:
    """The page after choices of its reader, one after another."""
    for key, value in choices.items():
        widgets = [
            *app.multiselect,
            *app.selectbox,
            *app.radio,
            *app.segmented_control,
            *app.select_slider,
            *app.toggle,
        ]
        next(widget for widget in widgets if widget.key == key).set_value(value).run()
        assert not app.exception
    return app


def go_to(app: AppTest, sent: dict[str, list[str]]) -> None:
    """Have the browser be at an address."""
    for key in list(app.query_params):
        del app.query_params[key]
    for key, value in sent.items():
        app.query_params[key] = value


def parameters(app: AppTest) -> dict[str, list[str]]:
    """What the address says."""
    return {key: [value] if isinstance(value, str) else value for key, value in app.query_params.items()}


def study_named(app: AppTest, part: str) -> str:
    """The name of a study in the menu."""
    return next(name for name in app.selectbox(key="study").options if part in name)


def test_an_address_names_the_page_the_study_and_what_was_chosen_alone(two: Source) -> None:
    app = opened(two, "Compare")
    assert set(parameters(app)) == {"page", "study"}
    chosen(app, methods=["sn"], view="curves")
    assert parameters(app) | {"methods": ["sn"], "view": ["curves"]} == parameters(app)
    chosen(app, methods=[], view="scores")
    assert set(parameters(app)) == {"page", "study"}


def test_every_choice_of_a_study_counts(tmp_path: Path) -> None:
    for study in ("robustness", "cost", "scale"):
        told(tmp_path, Story(), study=study, seeds=1, most=1)
    app = opened(Source(out=tmp_path, database=f"sqlite:///{tmp_path}/results.db"), "Now")
    (menu,) = (box for box in app.selectbox if box.label == "Study")
    for chosen in [*menu.options, *menu.options]:
        next(box for box in app.selectbox if box.label == "Study").set_value(chosen).run()
        assert chosen in str(app.query_params["study"])
        assert next(box for box in app.selectbox if box.label == "Study").value == chosen


def test_another_study_leaves_nothing_in_the_address_that_is_not_shown(two: Source) -> None:
    app = opened(two, "Compare")
    chosen(app, study=study_named(app, "robustness"))
    chosen(app, settings=app.multiselect(key="settings").options, methods=["none", "wgan-gp"])
    chosen(app, study=study_named(app, "landscape"))
    assert app.multiselect(key="settings").value == []
    assert "settings" not in parameters(app)
    assert app.multiselect(key="methods").value == parameters(app)["methods"] == ["wgan-gp"]
    assert not app.toast


def test_the_same_view_is_opened_from_its_address(two: Source) -> None:
    app = opened(two, "Compare")
    chosen(app, study=study_named(app, "landscape"), methods=["wgan-gp", "sn"], seeds=[1], view="differences")
    chosen(app, reference="wgan-gp")
    sent = parameters(app)
    again = opened(two, "Compare", **sent)
    assert parameters(again) == sent
    assert again.selectbox(key="reference").value == "wgan-gp"
    assert not again.toast


def test_an_address_that_is_gone_back_to_makes_its_choices_again(two: Source) -> None:
    app = opened(two, "Compare", view="curves")
    before = parameters(app)
    chosen(app, methods=["sn"], view="differences", page="Trial")
    go_to(app, before)
    app.run()
    assert app.title[0].value == "Compare"
    assert app.segmented_control(key="view").value == "curves"
    assert app.multiselect(key="methods").value == []
    assert parameters(app) == before


@pytest.mark.parametrize(("on_its_way_s", "title"), [(60.0, "Now"), (0.0, "Trial")])
def test_who_goes_back_twice_at_once_has_used_no_widget(
    two: Source, monkeypatch: pytest.MonkeyPatch, on_its_way_s: float, title: str
) -> None:
    """At the second time the browser still says that the menu is where the first one began."""
    monkeypatch.setattr(address, "_ON_ITS_WAY_S", on_its_way_s)
    app = opened(two, "Now")
    first = parameters(app)
    second = parameters(chosen(app, page="Compare"))
    chosen(app, page="Trial")
    go_to(app, second)
    app.run()
    assert app.title[0].value == "Compare"
    go_to(app, first)
    chosen(app, page="Trial")
    assert app.title[0].value == title


def test_a_choice_counts_although_the_browser_still_has_the_address_before_the_last(two: Source) -> None:
    app = opened(two, "Now")
    before = parameters(app)
    chosen(app, page="Compare")
    app.query_params["page"] = before["page"]
    chosen(app, methods=["sn"])
    assert app.title[0].value == "Compare"
    assert parameters(app)["page"] == ["Compare"]
    assert parameters(app)["methods"] == ["sn"]


def test_an_address_waits_for_the_first_launch(tmp_path: Path) -> None:
    source = Source(out=tmp_path, database=f"sqlite:///{tmp_path}/results.db")
    app = opened(source, "Compare", methods="sn")
    assert f"--out {tmp_path}" in app.code[0].value
    for _ in range(2):
        app.run()
        assert app.title[0].value == "Compare"
    told(tmp_path, Story(), seeds=1)
    app.run()
    assert app.multiselect(key="methods").value == ["sn"]
    assert not app.toast


def test_choices_go_along_to_pages_that_have_them(two: Source) -> None:
    app = chosen(opened(two, "Compare"), methods=["sn"], view="curves")
    chosen(app, page="Now")
    assert set(parameters(app)) == {"page", "study"}
    chosen(app, page="Landscape")
    assert parameters(app)["methods"] == ["sn"]
    assert "view" not in parameters(app)
    chosen(app, page="Compare")
    assert parameters(app)["view"] == ["curves"]


def test_who_chose_no_update_follows_the_newest(sources: Sources) -> None:
    app = opened(sources("whole"), "Samples")
    slider = app.select_slider(key="update")
    assert slider.value == 800
    assert "update" not in app.query_params
    chosen(app, update=400)
    assert parameters(app)["update"] == ["400"]


@pytest.mark.parametrize(
    ("page", "given", "words"),
    [
        ("Verdict", {}, "'Verdicts'"),
        ("Now", {"study": "quick"}, "unknown study"),
        ("Compare", {"methods": ["sn", "nobody"]}, "unknown method 'nobody'"),
        ("Compare", {"settings": "Z"}, "unknown setting 'Z'"),
        ("Compare", {"methods": ["sn", "sn", "none", "also"]}, "unknown method 'also'"),
        ("Compare", {"seeds": "77"}, "unknown seed '77'"),
        ("Compare", {"protocol": "fid-9k"}, "unknown protocol"),
        ("Compare", {"view": "curve"}, "'curves'"),
        ("Compare", {"view": "differences", "reference": "Sn"}, "'sn'"),
        ("Landscape", {"threshold": "0.33"}, "'0.3'"),
        ("Inside", {"inside": "norm"}, "'norms'"),
        ("Samples", {"update": "7"}, "unknown update '7'"),
        ("Samples", {"seed": "one"}, "unknown seed 'one'"),
        ("Trial", {"method": "s"}, "unknown method 's'"),
        ("Trial", {"digest": "ffff"}, "unknown parameter 'digest'"),
        ("Verdicts", {"evidence-nothing": "true"}, "unknown parameter 'evidence-nothing'"),
    ],
)
def test_what_the_address_names_in_vain_is_told_once(
    sources: Sources, page: str, given: dict[str, str | list[str]], words: str
) -> None:
    app = opened(sources("whole"), page, **given)
    assert not app.exception
    (toast,) = app.toast
    assert words in toast.value.replace("\\", "")
    for key, value in list(given.items())[-1:]:
        wrong = value if isinstance(value, str) else value[-1]
        assert wrong not in parameters(app).get(key, [])
    assert not app.run().toast
    assert len(set(parameters(app).get("methods", []))) == len(parameters(app).get("methods", []))
