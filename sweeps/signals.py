"""Stopping: SIGINT, SIGTERM and SIGUSR1 all mean "end cleanly, to go on later". Cheap to import."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

UNFINISHED = 75  # exit code: start me again, for people and for schedulers
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


class StopRequested(KeyboardInterrupt):
    """A stop that was asked for, by whichever signal.

    A class of its own: when a bare KeyboardInterrupt passes code that was compiled from a string, Python ends its
    process by SIGINT after all, although the exception was handled.
    """


def interrupt(number: int, _frame: FrameType | None) -> None:
    """Signal handler that raises StopRequested."""
    raise StopRequested(signal.Signals(number).name)


@contextlib.contextmanager
def signals_handled(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Send the three signals to `handler` inside, then as before. Changes nothing outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    for number in STOP_SIGNALS:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous or signal.SIG_DFL)
