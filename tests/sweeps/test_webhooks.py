"""Webhooks over real sockets: what arrives, what is tried again, what is refused, and that nobody waits or tells."""

import logging
import socket
import threading
import time

import pytest

from sngan.errors import InputError
from sweeps.webhooks import Address, RefusedError, Sender, Senders, check_address, post
from tests.sweeps.webhook_server import SECRET, Webhook

NO_PAUSES = (0.01, 0.01, 0.01)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def nobody() -> str:
    """An address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"http://127.0.0.1:{free.getsockname()[1]}/{SECRET}"


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The warnings so far, of which none may hold the address."""
    assert SECRET not in caplog.text
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_message_is_posted_as_json_to_the_whole_address() -> None:
    with Webhook() as webhook:
        post(check_address(f"{webhook.url}?thread=1"), {"text": "ü", "number": 1.5})
        post(Address(f"http://me:pass%2Fword@{webhook.host}/x"), {})
    first, second = webhook.taken
    assert first.path == f"/services/{SECRET}?thread=1"
    assert first.headers["Content-Type"] == "application/json; charset=utf-8"
    assert first.body == {"text": "ü", "number": 1.5}
    assert "Authorization" not in first.headers
    assert second.headers["Authorization"] == "Basic bWU6cGFzcy93b3Jk", "me:pass/word"


@pytest.mark.parametrize("answers", [[500], [503, 429, 408]])
def test_what_may_pass_is_tried_again(answers: list[int], caplog: pytest.LogCaptureFixture) -> None:
    with Webhook(answers) as webhook:
        sender = Sender(check_address(webhook.url), "it", pauses_s=NO_PAUSES)
        for number in range(3):
            sender.send({"number": number})
        sender.end()
        sender.wait(time.monotonic() + 10)
    assert [message["number"] for message in webhook.messages] == [0, 1, 2]
    assert len(webhook.told) == 3 + len(answers)
    assert warned(caplog) == []


@pytest.mark.parametrize(
    ("answers", "reason"),
    [([404] * 2, "HTTP 404 Not Found"), ([418] * 2, "HTTP 418"), ([500] * 8, "HTTP 500 Internal Server Error")],
)
def test_what_is_not_taken_is_said_once_in_a_line(
    answers: list[int], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Webhook([*answers, 200, 404]) as webhook:
        sender = Sender(check_address(webhook.url), "--notify", pauses_s=NO_PAUSES)
        for number in range(4):
            sender.send({"number": number})
        sender.end()
        sender.wait(time.monotonic() + 10)
    assert [message["number"] for message in webhook.messages] == [2]
    first, second = warned(caplog)
    assert first.startswith(f"--notify does not take notifications: {reason}")
    assert "\n" not in first
    assert "HTTP 404" in second, "a new row of losses"
    # The last message meets one 404, the other two as many attempts as the status is worth.
    assert len(webhook.told) == len(answers) + 2


def test_nobody_there_is_one_warning_and_costs_no_time(nobody: str, caplog: pytest.LogCaptureFixture) -> None:
    sender = Sender(check_address(nobody), "--notify", pauses_s=NO_PAUSES)
    began = time.monotonic()
    for _ in range(3):
        sender.send({})
    assert time.monotonic() - began < 0.2
    sender.end()
    sender.wait(time.monotonic() + 10)
    assert warned(caplog) == ["--notify does not take notifications: Connection refused. The sweep is not affected."]


def test_a_server_that_hangs_holds_up_neither_the_launch_nor_other_addresses(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Webhook(["hang"]) as hanging, Webhook() as good:
        senders = Senders([check_address(hanging.url), check_address(good.url)])
        for first in (0, 50):
            began = time.monotonic()
            for number in range(50):
                senders.send({"number": first + number})
            assert time.monotonic() - began < 1
            good.wait_for(lambda webhook, sent=first + 50: len(webhook.taken) == sent)
        began = time.monotonic()
        senders.close(0.3)
        assert 0.25 < time.monotonic() - began < 1
        assert hanging.taken == []
        assert [message["number"] for message in good.messages] == list(range(100))
    (text,) = warned(caplog)
    assert text.startswith("--notify number 1 does not take notifications: too many wait already"), (
        "of 100, 64 may wait"
    )


def test_an_answer_that_never_comes_is_given_up_after_its_time() -> None:
    with Webhook(["hang"]) as webhook:
        with pytest.raises(RefusedError, match=r"^no answer in time$") as caught:
            post(check_address(webhook.url), {}, timeout_s=0.2)
        assert caught.value.passing


def test_a_thread_ends_with_its_sender(nobody: str) -> None:
    before = threading.active_count()
    sender = Sender(check_address(nobody), "it", pauses_s=(60.0,))
    sender.send({})
    time.sleep(0.2)
    sender.end()
    sender.wait(time.monotonic() + 0.1)
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("scheme", ["http", "file", "ftp", "gopher"])
def test_no_redirect_is_followed(code: int, scheme: str) -> None:
    with Webhook() as other, Webhook([(code, f"{scheme}://{other.host}/etc/passwd")]) as webhook:
        with pytest.raises(RefusedError, match=f"it leads elsewhere \\(HTTP {code}\\), which is not followed"):
            post(check_address(webhook.url), {})
        assert len(webhook.told) == 1
        assert other.told == []


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9.9\r\n", b"HTTP/1.1 999999999 x\r\n\r\n"])
def test_what_speaks_no_http_is_refused_in_words(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):  # closing with something unread would reset the connection
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(RefusedError, match="no answer") as caught:
            post(check_address(f"http://127.0.0.1:{server.getsockname()[1]}/{SECRET}"), {}, timeout_s=5)
        thread.join()
    assert SECRET not in str(caught.value)


def test_plain_http_at_an_address_of_https_is_refused_in_words() -> None:
    with Webhook() as webhook, pytest.raises(RefusedError) as caught:
        post(check_address(webhook.url.replace("http:", "https:")), {}, timeout_s=5)
    assert "SSL" in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (f"ftp://host/{SECRET}", "unknown scheme of --notify 'ftp'"),
        (f"htps://host/{SECRET}", "Did you mean 'https'?"),
        (f"file:///{SECRET}", "unknown scheme of --notify 'file'"),
        (f"hooks.slack.com/services/{SECRET}", "neither https:// nor http://"),
        (f"{SECRET}://host/x", "neither https:// nor http://"),
        (f"https:///{SECRET}", "names no host"),
        (f"https://host:{SECRET}/x", "names no host, or no port"),
        (f"https://host:0/{SECRET}", "no port"),
        (f"https://[::1/{SECRET}", "names no host"),
        (f"https://host/{SECRET} x", "has spaces"),
        (f"https://host/{SECRET}\r\nHost: other", "has spaces"),
        (f"https://host/{SECRET}/ü", "letters that no URL has"),
        ("***", "is hidden here"),
        ("", "neither https:// nor http://"),
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(text: str, part: str) -> None:
    with pytest.raises(InputError) as caught:
        check_address(text)
    assert part in str(caught.value)
    assert SECRET not in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 2


def test_an_address_is_not_shown_when_it_is_printed() -> None:
    address = check_address(f" https://hooks.example/{SECRET}\n")
    assert SECRET not in f"{address} {address!r} {[address]}"
    assert address.url == f"https://hooks.example/{SECRET}"
