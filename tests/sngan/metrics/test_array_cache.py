"""The cache of references: computed once, between threads and after damage."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from sngan.errors import InputError
from sngan.metrics.array_cache import ArrayCache, Arrays


class Count:
    """Computes the same arrays and counts how often."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> Arrays:
        self.calls += 1
        time.sleep(0.05)
        return {"a": np.arange(1000.0), "b": np.array([[1, 2]])}


def test_arrays_are_computed_once_and_come_back(tmp_path: Path) -> None:
    compute = Count()
    for _ in range(3):
        arrays = ArrayCache(tmp_path / "deep" / "folder").get("label", "key", compute)
        np.testing.assert_array_equal(arrays["a"], np.arange(1000.0))
        assert set(arrays) == {"a", "b"}
    assert compute.calls == 1


def test_another_key_is_another_file(tmp_path: Path) -> None:
    cache, compute = ArrayCache(tmp_path), Count()
    cache.get("label", "key", compute)
    assert cache.path("label", "key") != cache.path("label", "other key")
    assert cache.peek("label", "other key") is None
    cache.get("label", "other key", compute)
    assert compute.calls == 2


def test_those_who_come_at_once_wait_for_the_first(tmp_path: Path) -> None:
    compute = Count()
    with ThreadPoolExecutor(4) as pool:
        found = [pool.submit(ArrayCache(tmp_path).get, "label", "key", compute) for _ in range(4)]
    assert all(len(future.result()["a"]) == 1000 for future in found)
    assert compute.calls == 1


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def scribble(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def replace(path: Path) -> None:
    path.write_text("not an archive at all")


@pytest.mark.parametrize("damage", [cut, scribble, empty, replace])
def test_a_damaged_file_is_computed_again_with_one_warning(
    damage: Callable[[Path], None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache, compute = ArrayCache(tmp_path), Count()
    cache.get("label", "key", compute)
    damage(cache.path("label", "key"))
    with caplog.at_level(logging.WARNING):
        arrays = cache.get("label", "key", compute)
    assert compute.calls == 2
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "damaged" in caplog.text
    np.testing.assert_array_equal(arrays["a"], np.arange(1000.0))
    cache.get("label", "key", compute)
    assert compute.calls == 2


def test_a_file_of_another_key_is_not_believed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache, compute = ArrayCache(tmp_path), Count()
    cache.get("label", "key", compute)
    cache.path("label", "key").rename(cache.path("label", "other key"))
    assert cache.peek("label", "other key") is None
    assert "belongs to something else" in caplog.text


def test_a_failed_computation_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail() -> Arrays:
        raise RuntimeError("no result")

    cache, compute = ArrayCache(tmp_path), Count()
    with pytest.raises(RuntimeError, match="no result"):
        cache.get("label", "key", fail)
    assert cache.peek("label", "key") is None
    cache.get("label", "key", compute)  # and the lock is free
    assert compute.calls == 1


def test_a_folder_that_cannot_be_written_is_a_users_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"the cache .*Not a directory"):
        ArrayCache(tmp_path / "file" / "references").get("label", "key", Count())
