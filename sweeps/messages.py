"""What every message to a webhook has, and how texts from anywhere are made safe in it."""

import math
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from sweeps.provenance import hide_credentials, host_name

Event = Literal["done", "unfinished", "verdict", "stuck", "resumed", "failures", "test"]
VERSION = 1  # of the message; a change that breaks readers changes it
_NO_MARKS = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("@", "@\u200b"))


def envelope(event: Event, text: str) -> dict[str, Any]:
    """What every message has. text : for people, in one line, marked up for nobody."""
    return {
        "version": VERSION,
        "id": uuid.uuid4().hex,
        "event": event,
        "text": chat_text(text),
        "host": host_name(),
        "sent": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def chat_text(text: str) -> str:
    """`text` in one line in which Slack and Mattermost find neither links nor people to call, whatever is in it."""
    plain = " ".join(hide_credentials(text).split())
    plain = "".join(letter for letter in plain if letter.isprintable())
    for sign, written in _NO_MARKS:
        plain = plain.replace(sign, written)
    return plain


def publishable(value: Any) -> Any:
    """A JSON value without credentials in its texts, and with None for numbers that JSON does not have."""
    if isinstance(value, str):
        return hide_credentials(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): publishable(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [publishable(each) for each in value]
    return value
