"""A webhook on loopback, and what it was told."""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

SECRET = "T0000-B0000-hook-s3cret"
LONGEST_S = 30


@dataclass(frozen=True, kw_only=True)
class Told:
    """One POST. body : its JSON object."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]


@dataclass
class Webhook:
    """Answers 200, but first the `answers` in their order: a status, (302, where to), or "hang" until the end."""

    answers: Sequence[int | tuple[int, str] | str] = ()
    told: list[Told] = field(default_factory=list)
    taken: list[Told] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._ended = threading.Event()
        left = list(self.answers)
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                webhook.told.append(Told(path=self.path, headers={}, body={"method": "GET"}))
                self.send_response(200)
                self.end_headers()

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                told = Told(path=self.path, headers=dict(self.headers), body=body)
                webhook.told.append(told)
                answer = left.pop(0) if left else 200
                if answer == "hang":
                    webhook._ended.wait(LONGEST_S)
                    return
                code, where = answer if isinstance(answer, tuple) else (answer, "")
                # A server that repeats the address in its answer.
                self.send_response(int(code), f"{code} {self.path}")
                if where:
                    self.send_header("Location", str(where))
                if code == 200:  # before the client hears of it, which may then post the next
                    webhook.taken.append(told)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"http://{self.host}/services/{SECRET}"

    @property
    def messages(self) -> list[dict[str, Any]]:
        """What it took, in order."""
        return [told.body for told in self.taken]

    @property
    def events(self) -> list[str]:
        return [message["event"] for message in self.messages]

    def wait_for(self, condition: Callable[["Webhook"], bool]) -> None:
        """Return as soon as it holds."""
        deadline = time.monotonic() + LONGEST_S
        while not condition(self):
            assert time.monotonic() < deadline, self.told
            time.sleep(0.01)
