"""Pieces of HTML for the app, from the templates below templates/app, and of Markdown; what is put in is escaped."""

import re
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def rendered(template: str, **values: Any) -> str:
    """A template with values, which are escaped."""
    return _environment().get_template(template).render(**values)


_SIGNS = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>$:~&])")


def plain(text: object) -> str:
    """A text from outside for places that take Markdown: an image in it would be fetched from wherever it says."""
    return _SIGNS.sub(r"\\\1", str(text))


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("dashboards", "templates/app"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
