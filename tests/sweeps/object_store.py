"""A real server with the interface of S3, on loopback, and what its clients find in their environment."""

import logging
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import boto3
import pytest
from moto.server import ThreadedMotoServer

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
_FOR_EVER = 10**9


@dataclass(frozen=True)
class Server:
    """url : of the server, which has one bucket."""

    url: str
    bucket: str = "gans"

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        """What the bucket holds, as another client sees it."""
        s3 = boto3.client("s3", endpoint_url=self.url, region_name="us-east-1")
        found = s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", [])
        return {
            each["Key"]: s3.get_object(Bucket=self.bucket, Key=each["Key"])["Body"].read()
            for each in found
            if not each["Key"].endswith("/")
        }

    def put(self, key: str, content: bytes) -> None:
        boto3.client("s3", endpoint_url=self.url, region_name="us-east-1").put_object(
            Bucket=self.bucket, Key=key, Body=content
        )

    @contextmanager
    def strict(self) -> Iterator[None]:
        """Inside, it asks for keys that it knows, of which there are none."""
        self._ask_for_keys_after(0)
        try:
            yield
        finally:
            self._ask_for_keys_after(_FOR_EVER)

    def _ask_for_keys_after(self, requests: int) -> None:
        request = urllib.request.Request(
            f"{self.url}/moto-api/reset-auth", data=b"%d" % requests, headers={"Content-Type": "text/plain"}
        )
        urllib.request.urlopen(request, timeout=10).close()


@contextmanager
def running() -> Iterator[Server]:
    """A server, and an environment that leads to it."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # a line for every request
    listening = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    listening.start()
    _, port = listening.get_host_and_port()
    server = Server(f"http://127.0.0.1:{port}")
    try:
        with pytest.MonkeyPatch.context() as environment:
            for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_SESSION_TOKEN", "RAY_ADDRESS"):
                environment.delenv(name, raising=False)
            environment.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
            environment.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
            environment.setenv("AWS_ENDPOINT_URL", server.url)
            environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
            boto3.client("s3", region_name="us-east-1").create_bucket(Bucket=server.bucket)
            yield server
    finally:
        listening.stop()
