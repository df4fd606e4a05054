"""STL-10's binary format on small files: orientation, resizing, folder and archive, and what is wrong with them."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sngan.datasets import Dataset, DatasetEntry, open_dataset
from sngan.datasets.catalog import open_entry
from sngan.datasets.pixels import halve
from sngan.datasets.stl10 import ARCHIVE, ARCHIVE_MD5, FOLDER, OFFICIAL, URL, OfficialImages, read_images, stl10_entry
from sngan.errors import InputError
from tests.sngan.official_files import md5, picture, stl10


def prepare(entry: DatasetEntry, tmp_path: Path, data_dir: Path) -> Dataset:
    return open_entry(entry, cache_dir=tmp_path / "cache", data_dir=data_dir)


def refused(entry: DatasetEntry, tmp_path: Path, data_dir: Path) -> str:
    """The InputError's text; nothing is left in the cache."""
    with pytest.raises(InputError) as caught:
        prepare(entry, tmp_path, data_dir)
    assert [path.name for path in (tmp_path / "cache" / "datasets").iterdir()] == [".stl10-1.lock"]
    assert len(str(caught.value).splitlines()) <= 2
    return str(caught.value)


def test_images_are_stored_channel_by_channel_and_column_by_column() -> None:
    """The official description: the first 96 x 96 values are the red channel, in column-major order."""
    data = bytearray(3 * 96 * 96)
    data[5] = 200  # red, sixth pixel of the first column
    data[96 * 96 + 96 * 7] = 100  # green, first pixel of the eighth column
    (image,) = read_images(bytes(data))
    assert np.argwhere(image).tolist() == [[0, 5, 0], [1, 0, 7]]


def test_pictures_come_out_upright_in_order_at_half_their_size(tmp_path: Path) -> None:
    dataset = prepare(stl10(tmp_path), tmp_path, tmp_path)
    for split, first, num in (("train", 0, 12), ("test", 100, 5)):
        expected = [np.asarray(Image.fromarray(picture(first + number, 96, 96)).reduce(2)) for number in range(num)]
        assert np.array_equal(dataset.splits[split].images, np.stack(expected).transpose(0, 3, 1, 2))


def test_halving_is_the_rounded_mean_of_four() -> None:
    tiny = np.array([[[0, 1, 255, 255], [0, 1, 255, 254]]], np.uint8)
    assert halve(tiny).tolist() == [[[1, 255]]], "halves are rounded up"
    noise = np.random.Generator(np.random.Philox(0)).integers(0, 256, (3, 96, 96), dtype=np.uint8)
    means = noise.reshape(3, 48, 2, 48, 2).astype(float).mean((2, 4))
    assert np.array_equal(halve(noise), np.floor(means + 0.5))
    by_pillow = np.asarray(Image.fromarray(noise.transpose(1, 2, 0)).reduce(2)).transpose(2, 0, 1)
    assert np.array_equal(halve(noise), by_pillow)


def test_halving_is_what_the_bssn_code_does() -> None:
    """That code calls cv2.resize without a filter's name, which is bilinear."""
    cv2 = pytest.importorskip("cv2")
    for size in (96, 128):
        noise = np.random.Generator(np.random.Philox(size)).integers(0, 256, (size, size, 3), dtype=np.uint8)
        assert np.array_equal(halve(noise.transpose(2, 0, 1)), cv2.resize(noise, (size // 2,) * 2).transpose(2, 0, 1))


def test_torchvisions_filter_is_smoother_than_the_papers() -> None:
    """The conflict between sources is real: an edge stays sharp under one and blurs under the other."""
    step = np.zeros((96, 96, 3), np.uint8)
    step[:, 48:] = 255
    wide = np.asarray(Image.fromarray(step).resize((48, 48), Image.Resampling.BILINEAR))
    assert set(np.unique(halve(step.transpose(2, 0, 1)))) == {0, 255}
    assert len(np.unique(wide)) == 4


@pytest.mark.parametrize("place", [".", FOLDER])
def test_the_folder_is_found_directly_or_one_above(tmp_path: Path, place: str) -> None:
    entry = stl10(tmp_path / "data")
    assert len(prepare(entry, tmp_path, tmp_path / "data" / place).splits["train"]) == 12


def test_the_archive_is_the_same_data_set(tmp_path: Path) -> None:
    digests = set()
    for archive in (False, True):
        data_dir = tmp_path / f"archive {archive}"
        digests.add(prepare(stl10(data_dir, archive=archive), tmp_path / data_dir.name, data_dir).digest)
        assert (data_dir / ARCHIVE).exists() == archive
    assert len(digests) == 1


def test_pieces_of_a_thousand_images_make_one_split(tmp_path: Path) -> None:
    dataset = prepare(stl10(tmp_path, num_images=(1003, 2)), tmp_path, tmp_path)
    last = np.asarray(Image.fromarray(picture(1002, 96, 96)).reduce(2)).transpose(2, 0, 1)
    assert np.array_equal(dataset.splits["train"].images[-1], last)


def test_the_archive_is_downloaded_checked_and_read(tmp_path: Path, server) -> None:
    address, served = server
    entry = stl10(served, archive=True)
    archive_md5 = md5((served / ARCHIVE).read_bytes())
    with tarfile.open(served / ARCHIVE) as tar:
        images = {
            split: OfficialImages(
                file=official.file,
                num_images=entry.num_images[split],
                md5=md5(tar.extractfile(f"{FOLDER}/{official.file}").read()),
            )
            for split, official in OFFICIAL.items()
        }
    fetched = stl10_entry(images, url=f"{address}/{ARCHIVE}", archive_md5=archive_md5)
    dataset = open_entry(fetched, cache_dir=tmp_path / "cache")
    assert dataset.digest == prepare(entry, tmp_path / "given", served).digest
    with pytest.raises(InputError, match="cannot download http") as caught:
        open_entry(stl10_entry(images, url=f"{address}/{ARCHIVE}", archive_md5="0" * 32), cache_dir=tmp_path / "other")
    assert f"{ARCHIVE} or {FOLDER}/ with --data-dir" in str(caught.value)
    assert [path.name for path in (tmp_path / "other" / "datasets").iterdir()] == [".stl10-1.lock"]


def test_incomplete_files_are_named_and_counted(tmp_path: Path) -> None:
    entry = stl10(tmp_path)
    (tmp_path / FOLDER / "test_X.bin").unlink()
    with (tmp_path / FOLDER / "unlabeled_X.bin").open("r+b") as file:
        file.truncate(7 * 27648 + 5)
    message = refused(entry, tmp_path, tmp_path)
    assert "unlabeled_X.bin has 193541 bytes instead of 331776, 7 of 12 images" in message
    assert "test_X.bin is missing" in message


@pytest.mark.parametrize("archive", [False, True])
def test_a_wrong_md5_names_the_file_and_both_sums(tmp_path: Path, archive: bool) -> None:
    entry = stl10(tmp_path / "good", archive=archive)
    other = stl10(tmp_path / "other", archive=archive, num_images=(12, 5))
    assert entry.num_images == other.num_images
    name, data_dir = ("test_X.bin", tmp_path / "other")
    path = data_dir / FOLDER / name
    if archive:
        assert not path.exists()
        _replace_in_archive(data_dir, name, b"\1" * 5 * 27648)
    else:
        path.write_bytes(b"\1" * 5 * 27648)
    message = refused(entry, tmp_path, data_dir)
    assert f"{name} in {data_dir}" in message
    assert "is not STL-10's official file: its md5 is " in message


def _replace_in_archive(data_dir: Path, name: str, data: bytes) -> None:
    with tarfile.open(data_dir / ARCHIVE) as tar:
        files = {Path(member.name).name: tar.extractfile(member).read() for member in tar if member.isfile()}
    with tarfile.open(data_dir / ARCHIVE, "w:gz") as tar:
        for file, content in {**files, name: data}.items():
            member = tarfile.TarInfo(f"{FOLDER}/{file}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.9])
def test_a_damaged_archive_is_refused(tmp_path: Path, share: float) -> None:
    entry = stl10(tmp_path, archive=True)
    data = (tmp_path / ARCHIVE).read_bytes()
    (tmp_path / ARCHIVE).write_bytes(data[: int(len(data) * share)])
    message = refused(entry, tmp_path, tmp_path)
    assert f"{ARCHIVE} is damaged or incomplete" in message
    assert ARCHIVE_MD5 in message


def test_folders_without_the_files_say_what_belongs_there(tmp_path: Path) -> None:
    for data_dir, state in ((tmp_path, "holds none of STL-10's official files"), (tmp_path / "no", "is not a folder")):
        with pytest.raises(InputError, match=state) as caught:
            open_dataset("stl10", cache_dir=tmp_path / "cache", data_dir=data_dir)
        assert f"must hold {ARCHIVE}, or unlabeled_X.bin and test_X.bin" in str(caught.value)


def test_our_sums_are_those_of_torchvision() -> None:
    official = pytest.importorskip("torchvision.datasets").STL10
    sums = dict([*official.train_list, *official.test_list])
    assert {images.file: images.md5 for images in OFFICIAL.values()}.items() <= sums.items()
    assert (official.url, official.tgz_md5, official.base_folder) == (URL, ARCHIVE_MD5, FOLDER)


def test_the_official_files_are_as_large_as_published() -> None:
    assert OFFICIAL["train"].num_bytes == 2_764_800_000
    assert OFFICIAL["test"].num_bytes == 221_184_000
