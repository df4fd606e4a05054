"""CelebA's official files on a few small ones: crop, splits, folder and archive, and what is wrong with them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sngan.datasets import Dataset, DatasetEntry, open_dataset
from sngan.datasets.catalog import open_entry
from sngan.datasets.celeba import ARCHIVE, FOLDER, OFFICIAL, PARTITION, face
from sngan.errors import InputError
from tests.sngan.official_files import celeba, jpeg, picture


def prepare(entry: DatasetEntry, tmp_path: Path, data_dir: Path) -> Dataset:
    return open_entry(entry, cache_dir=tmp_path / "cache", data_dir=data_dir)


def refused(entry: DatasetEntry, tmp_path: Path, data_dir: Path) -> str:
    with pytest.raises(InputError) as caught:
        prepare(entry, tmp_path, data_dir)
    assert [path.name for path in (tmp_path / "cache" / "datasets").iterdir()] == [".celeba-1.lock"]
    assert len(str(caught.value).splitlines()) <= 2
    return str(caught.value)


def test_a_face_is_the_centre_of_128_pixels_halved() -> None:
    pixels = np.zeros((218, 178, 3), np.uint8)
    pixels[45:173, 25:153] = 100  # the official crop, as in the BSSN code
    assert (face(Image.fromarray(pixels)) == 100).all()
    pixels[45:47, 25:27, 1] = [[200, 201], [202, 203]]
    halved = face(Image.fromarray(pixels))
    assert halved.shape == (3, 64, 64)
    assert halved[1, 0, 0] == 202, "the mean 201.5, rounded up"
    assert (halved != 100).sum() == 1


@pytest.mark.parametrize("archive", [False, True])
def test_splits_are_those_of_the_official_list(tmp_path: Path, archive: bool) -> None:
    dataset = prepare(celeba(tmp_path, archive=archive), tmp_path, tmp_path)
    numbers = {"train": range(1, 9), "valid": (9, 10), "test": (11, 12)}
    for name, members in numbers.items():
        expected = [face(Image.open(_file(tmp_path, number))) for number in members]
        assert np.array_equal(dataset.splits[name].images, np.stack(expected))
        assert dataset.splits[name].labels is None


def _file(folder: Path, number: int) -> Path:
    path = folder / "again" / f"{number}.jpg"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(jpeg(picture(number, 178, 218)))
    return path


def test_folder_and_archive_are_the_same_data_set(tmp_path: Path) -> None:
    digests = {
        prepare(celeba(tmp_path / name, archive=name == "zip"), tmp_path / name, tmp_path / name).digest
        for name in ("zip", "folder")
    }
    assert len(digests) == 1


def test_the_files_are_found_where_they_are_offered(tmp_path: Path) -> None:
    entry = celeba(tmp_path, archive=True)
    (tmp_path / "Img").mkdir()
    (tmp_path / "Eval").mkdir()
    (tmp_path / ARCHIVE).rename(tmp_path / "Img" / ARCHIVE)
    (tmp_path / PARTITION).rename(tmp_path / "Eval" / PARTITION)
    assert len(prepare(entry, tmp_path, tmp_path).splits["train"]) == 8


def test_missing_images_are_named_and_counted(tmp_path: Path) -> None:
    entry = celeba(tmp_path)
    for number in range(3, 10):
        (tmp_path / FOLDER / f"{number:06}.jpg").unlink()
    message = refused(entry, tmp_path, tmp_path)
    assert "7 of 12 images are missing" in message
    assert "000003.jpg, 000004.jpg, 000005.jpg, 000006.jpg, 000007.jpg and 2 more" in message


def test_corrupt_images_and_other_sizes_are_named(tmp_path: Path) -> None:
    entry = celeba(tmp_path)
    (tmp_path / FOLDER / "000002.jpg").write_bytes(jpeg(picture(2, 178, 218))[:3000])
    (tmp_path / FOLDER / "000004.jpg").write_bytes(jpeg(picture(4, 64, 64)))
    message = refused(entry, tmp_path, tmp_path)
    assert "2 of 8 images in split train" in message
    assert "000002.jpg (" in message
    assert "truncated" in message
    assert "000004.jpg (ValueError: 64 x 64 pixels instead of 178 x 218)" in message


def test_wrong_files_are_refused_by_their_md5(tmp_path: Path) -> None:
    entry = celeba(tmp_path, archive=True)
    with (tmp_path / ARCHIVE).open("ab") as file:
        file.write(b"more")
    assert f"{ARCHIVE} is not CelebA's official file" in refused(entry, tmp_path, tmp_path)
    (tmp_path / PARTITION).write_text("000001.jpg 0\n")
    assert f"{PARTITION} is not CelebA's official file" in refused(entry, tmp_path, tmp_path)


def test_without_files_the_error_says_which_to_fetch(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for data_dir in (None, tmp_path / "empty", tmp_path / "absent"):
        with pytest.raises(InputError) as caught:
            open_dataset("celeba", cache_dir=tmp_path / "cache", data_dir=data_dir)
        assert f"{ARCHIVE} and {PARTITION} from http://mmlab.ie.cuhk.edu.hk/projects/CelebA.html" in str(caught.value)
    entry = celeba(tmp_path / "data")
    (tmp_path / "data" / FOLDER).rename(tmp_path / "data" / "elsewhere")
    assert f"holds neither {FOLDER}/ nor {ARCHIVE}" in refused(entry, tmp_path, tmp_path / "data")


def test_our_sums_are_those_of_torchvision() -> None:
    official = pytest.importorskip("torchvision.datasets").CelebA
    sums = {name: md5 for _, md5, name in official.file_list}
    assert (sums[ARCHIVE], sums[PARTITION]) == (OFFICIAL.archive_md5, OFFICIAL.partition_md5)
    assert sum(OFFICIAL.num_images.values()) == 202_599
