"""Servers that do not answer are asked again for a minute."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

logger = logging.getLogger(__name__)
T = TypeVar("T")
PATIENCE_S = 60  # below the time of a lease (sweeps.claiming)
_PAUSE_S = 1.0


def patiently(function: Callable[[], T], unreachable: type[Exception]) -> T:
    """What `function` gives, called again while it raises `unreachable`, for up to a minute; then that is raised."""
    deadline_s = time.monotonic() + PATIENCE_S
    told = False
    while True:
        try:
            return function()
        except unreachable as error:
            if time.monotonic() > deadline_s:
                raise
            if not told:
                logger.warning("%s\nTrying again for %d s.", str(error).partition("\n")[0], PATIENCE_S)
            told = True
            time.sleep(_PAUSE_S)
