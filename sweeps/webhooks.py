"""Messages to webhooks: JSON objects, posted from a thread that nobody waits for.

The address of a webhook is a secret: whoever knows it can write there. It is in no message, log or traceback.
"""

import base64
import contextlib
import http.client
import json
import logging
import queue
import re
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from sngan.errors import InputError, unknown
from sweeps.provenance import HIDDEN, NOTIFY, PACKAGE

logger = logging.getLogger(__name__)
SCHEMES = ("https", "http")
VARIABLE = "SNGAN_NOTIFY"  # in place of the option
_TIMEOUT_S = 10.0
_PAUSES_S = (1.0, 5.0, 20.0)  # before each further attempt
_LAST_S = 5.0  # how long the end of a launch waits for all addresses together
_MOST_WAITING = 64
_TRY_AGAIN = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)


@dataclass(frozen=True)
class Address:
    """Where messages go; made by `check_address`. Its text is not shown when it is printed."""

    url: str = field(repr=False)


def check_address(text: str) -> Address:
    """The address that was given. Raises InputError, which does not repeat it, for what is no http or https URL."""
    url = text.strip()
    if HIDDEN in url:
        raise InputError(f"{NOTIFY} is hidden here, as in every command that is printed; give the address again.")
    scheme, separator, _ = url.partition("://")
    if not separator or not re.fullmatch(r"[A-Za-z][\w+.-]{0,9}", scheme):
        raise InputError(f"{NOTIFY} begins with neither https:// nor http://.")
    if scheme.lower() not in SCHEMES:
        raise unknown(f"scheme of {NOTIFY}", scheme, SCHEMES)
    if not re.fullmatch(r"[!-~]+", url):
        raise InputError(f"{NOTIFY} has spaces, or letters that no URL has; write them as %20 and so on.")
    if not _names_a_host(url):
        raise InputError(f"{NOTIFY} names no host, or no port from 1 to 65535; expected https://HOST/PATH.")
    return Address(url)


def _names_a_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # whose text repeats a part of it
        return False


class RefusedError(Exception):
    """A message was not taken; says why, without the address. `passing` : the same may be taken later."""

    def __init__(self, reason: str, *, passing: bool) -> None:
        super().__init__(reason)
        self.passing = passing


def post(address: Address, message: Mapping[str, Any], timeout_s: float = _TIMEOUT_S) -> None:
    """Post a JSON object, once. Raises RefusedError where no answer comes in time, or another than 2xx.

    A redirect is not followed: it would turn the POST into a GET, or hand the message to somebody else.
    """
    data = json.dumps(message, allow_nan=False).encode()
    try:
        with _opener().open(_request(urlsplit(address.url), data), timeout=timeout_s):
            return
    except urllib.error.HTTPError as error:
        error.close()
        raise _refused(error.code) from None
    # From None everywhere: what urllib says may hold the address.
    except urllib.error.URLError as error:
        raise RefusedError(_network_reason(error.reason), passing=True) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise RefusedError(_network_reason(error), passing=True) from None


def _opener() -> urllib.request.OpenerDirector:
    """Speaks http and https, through the proxies of the environment; follows no redirect, opens no file."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


def _request(parts: SplitResult, data: bytes) -> urllib.request.Request:
    """The request; user and password, which urllib takes for a part of the host, become a header."""
    credentials, _, host = parts.netloc.rpartition("@")
    headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": PACKAGE}
    if credentials:
        headers["Authorization"] = f"Basic {base64.b64encode(unquote(credentials).encode()).decode()}"
    return urllib.request.Request(parts._replace(netloc=host).geturl(), data=data, headers=headers)  # noqa: S310


def _refused(code: int) -> RefusedError:
    """For an answer that is none of success. Its own words are not repeated: a server may echo anything."""
    if 300 <= code < 400:
        return RefusedError(f"it leads elsewhere (HTTP {code}), which is not followed", passing=False)
    phrase = http.client.responses.get(code, "")
    return RefusedError(f"HTTP {code} {phrase}".rstrip(), passing=code >= 500 or code in _TRY_AGAIN)


def _network_reason(error: object) -> str:
    """Why there was no answer, in words that hold no address."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return "its certificate is not valid here"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "the proxy lets nobody through" if str(error).startswith("Tunnel") else f"no answer ({type(error).__name__})"


class Sender:
    """Posts messages to one address, in their order, from a thread of its own. Its methods neither raise nor wait.

    name : the address in words, for warnings: one for every row of messages that are lost. pauses_s : before each
    further attempt at a message.
    """

    def __init__(
        self, address: Address, name: str, *, timeout_s: float = _TIMEOUT_S, pauses_s: Sequence[float] = _PAUSES_S
    ) -> None:
        self._address, self._name = address, name
        self._timeout_s, self._pauses_s = timeout_s, pauses_s
        self._waiting: queue.Queue[Mapping[str, Any] | None] = queue.Queue(_MOST_WAITING)
        self._given_up = threading.Event()
        self._lost = False
        self._thread = threading.Thread(target=self._run, name="notifications", daemon=True)
        self._thread.start()

    def send(self, message: Mapping[str, Any]) -> None:
        """Post this after the others; where too many wait already, never."""
        try:
            self._waiting.put_nowait(message)
        except queue.Full:
            self._lose("too many wait already")

    def end(self) -> None:
        """Take no more messages: the thread ends after those that wait."""
        while True:
            try:
                return self._waiting.put_nowait(None)
            except queue.Full:
                with contextlib.suppress(queue.Empty):
                    self._waiting.get_nowait()  # nothing was taken for long; that messages are lost is said already

    def wait(self, deadline_s: float) -> None:
        """After `end`: return when all is sent, or given up because time.monotonic() is `deadline_s`."""
        self._thread.join(max(0.0, deadline_s - time.monotonic()))
        if self._thread.is_alive():
            self._given_up.set()
            self._lose("no answer in the time that is left")

    def _run(self) -> None:
        """The thread."""
        while not self._given_up.is_set() and (message := self._waiting.get()) is not None:
            self._deliver(message)

    def _deliver(self, message: Mapping[str, Any]) -> None:
        reason = ""
        for pause_s in (0.0, *self._pauses_s):
            if self._given_up.wait(pause_s):
                return  # told by whoever gave up
            try:
                post(self._address, message, self._timeout_s)
            except RefusedError as error:
                reason = str(error)
                if not error.passing:
                    break
            except Exception as error:  # a mistake of ours must not end the thread, nor show the address
                reason = type(error).__name__
                break
            else:
                self._lost = False
                return
        self._lose(reason)

    def _lose(self, reason: str) -> None:
        """Say that a message is lost, unless the one before was lost, too."""
        if not self._lost:
            self._lost = True
            logger.warning("%s does not take notifications: %s. The sweep is not affected.", self._name, reason)


class Senders:
    """One sender for each address."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        names = [NOTIFY] if len(addresses) == 1 else [f"{NOTIFY} number {1 + k}" for k in range(len(addresses))]
        self._senders = [Sender(address, name) for address, name in zip(addresses, names, strict=True)]

    def send(self, message: Mapping[str, Any]) -> None:
        """Post this to all addresses."""
        for sender in self._senders:
            sender.send(message)

    def close(self, timeout_s: float = _LAST_S) -> None:
        """Wait so long, at most, for what is on its way."""
        deadline_s = time.monotonic() + timeout_s
        for sender in self._senders:
            sender.end()
        for sender in self._senders:
            sender.wait(deadline_s)
