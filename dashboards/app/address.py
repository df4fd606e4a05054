"""The address of a view: it names every choice, whoever opens it or goes back to it finds them made.

Streamlit's own binding of widgets to addresses leaves what a widget no longer offers, drops wrong values without a
word, and makes no steps in the browser's history; see DECISIONS.md 84.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from dashboards.app.markup import plain
from sngan.errors import unknown

Parameters = dict[str, list[str]]
_STATE = "address"
_MOST_TOLD = 24
_ON_ITS_WAY_S = 1.0
_OF_HEAD = ("page", "study")  # named in any case: what is shown first is something else tomorrow


@dataclass
class _Address:
    """asked : what the reader's address says, until all widgets have followed it; None where widgets count. left : the
    address as the app has left it. shown, defaults : by key, what the widgets of the view show, and would at first.
    before : what widgets showed before they were set here, and when that was. own : whether the page is drawn again
    by the app itself.
    """

    asked: Parameters | None = None
    left: Parameters | None = None
    shown: dict[str, Any] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    before: dict[str, tuple[Any, float]] = field(default_factory=dict)
    own: bool = False


def _address() -> _Address:
    found: _Address = st.session_state.setdefault(_STATE, _Address())
    return found


def begin() -> None:
    """Find out what counts in this drawing of the whole page: what the address says, or what the widgets do.

    A browser may still have the last address but one when a reader uses the next widget. So an address that is not
    as it was left counts only where no widget was used: then it was opened, or gone back to.
    """
    address = _address()
    _ignore_late(address)
    if not address.own:
        if any(st.session_state.get(key) != value for key, value in address.shown.items()):
            address.asked = None
        elif (found := _current()) != address.left:
            address.asked = found
    address.own, address.shown = False, {}


def _ignore_late(address: _Address) -> None:
    """Undo what a browser says that did not know yet what was set here: no reader has used these widgets."""
    for key, value in address.shown.items():
        before, set_s = address.before.get(key, (value, 0.0))
        if st.session_state.get(key) == before != value and time.monotonic() - set_s < _ON_ITS_WAY_S:
            st.session_state[key] = value


def draw_again() -> None:
    """Have the whole page drawn, with the choices that it has."""
    _address().own = True
    st.rerun()


def begin_body() -> None:
    """Forget the choices of the page's body, which are about to be drawn."""
    address = _address()
    address.shown = {key: value for key, value in address.shown.items() if key in _OF_HEAD}


def settle(key: str, options: Sequence[Any], default: Any) -> None:
    """Before a widget is drawn: have its value be what the address or the reader says, as far as that is offered.

    default : one of the options, or a list of some for a widget of several. A reader who chose nothing follows it.
    """
    address = _address()
    assert key not in address.shown, f"{key} is drawn twice"
    several = isinstance(default, list)
    if address.asked is not None:
        named = {spelled(option): option for option in options}
        asked = address.asked.get(key, [])
        for each in asked:
            if each not in named:
                tell_unknown(key.removesuffix("s") if several else key, each, list(named))
        made = [named[each] for each in dict.fromkeys(asked) if each in named]
        value = (made or default) if several else next(iter(made), default)
    else:
        value = st.session_state.get(key, default)
        if value == address.defaults.get(key, default):
            value = default
        elif several:
            value = [each for each in value if each in options]
        elif value not in options:
            value = default
    address.defaults[key] = default
    # Only where it differs: what is set is sent, and would undo the click that is on its way here.
    if key not in st.session_state or st.session_state[key] != value:
        address.before[key] = st.session_state.get(key), time.monotonic()
        st.session_state[key] = value


def show(key: str, value: Any) -> None:
    """After a widget is drawn: its value stands in the address."""
    _address().shown[key] = value


def leave(*, whole: bool = True) -> None:
    """Write the address, in one step of the browser's history. whole : whether all widgets of the page were drawn; what
    the address says beyond them waits otherwise.
    """
    address = _address()
    # A browser that went back has the address. One whose reader chose may still wait for the last that was left.
    known = _current() if address.asked is not None or address.left == _current() else None
    rest = {key: asked for key, asked in (address.asked or {}).items() if key not in address.shown}
    parameters = {
        key: [spelled(each) for each in (value if isinstance(value, list) else [value])]
        for key, value in address.shown.items()
        if key in _OF_HEAD or value != address.defaults[key]
    }
    if whole:
        for key in rest:
            tell_unknown("parameter", key, list(address.shown))
        address.asked = None
    else:
        parameters = {**rest, **parameters}
    if parameters != known:
        st.query_params.from_dict(parameters)
    address.left = parameters


def spelled(value: Any) -> str:
    """A choice as addresses have it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def tell_unknown(kind: str, asked: str, allowed: Sequence[str]) -> None:
    """Say that the address names something that is not there; what is shown instead stands in the address then."""
    told, known = str(unknown(kind, asked, allowed)).split("\n")
    words = f"{told} {known}" if len(allowed) <= _MOST_TOLD else told
    st.toast(plain(words), icon=":material/warning:", duration="infinite")


def _current() -> Parameters:
    return {key: st.query_params.get_all(key) for key in st.query_params}
