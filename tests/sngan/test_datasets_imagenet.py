"""ImageNet's folders on a few small JPEG files: pixels, labels, order, and what is said of incomplete folders."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sngan.datasets import DATASETS, Dataset, DatasetEntry, open_dataset
from sngan.datasets.catalog import open_entry
from sngan.datasets.imagenet import OFFICIAL
from sngan.errors import InputError
from tests.sngan.official_files import SYNSETS, imagenet, jpeg, picture


@pytest.fixture
def entry(tmp_path: Path) -> DatasetEntry:
    return imagenet(tmp_path / "data")


@pytest.fixture
def train(tmp_path: Path) -> Path:
    return tmp_path / "data" / "train"


def prepare(entry: DatasetEntry, tmp_path: Path) -> Dataset:
    return open_entry(entry, cache_dir=tmp_path / "cache", data_dir=tmp_path / "data")


def refused(entry: DatasetEntry, tmp_path: Path) -> str:
    with pytest.raises(InputError) as caught:
        prepare(entry, tmp_path)
    assert [path.name for path in (tmp_path / "cache" / "datasets").iterdir()] == [".imagenet-1.lock"]
    assert len(str(caught.value).splitlines()) <= 2
    return str(caught.value)


def expected(path: Path) -> np.ndarray:
    """The central square, resized once by Pillow's antialiased bilinear filter."""
    image = Image.open(path).convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = image.crop((left, top, left + side, top + side))
    return np.asarray(box.resize((128, 128), Image.Resampling.BILINEAR)).transpose(2, 0, 1)


def test_classes_take_turns_so_that_the_first_images_are_of_all(
    entry: DatasetEntry, train: Path, tmp_path: Path
) -> None:
    dataset = prepare(entry, tmp_path)
    split = dataset.splits["train"]
    assert split.labels.tolist() == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1]
    assert dataset.splits["val"].labels.tolist() == [0, 1, 2, 0, 1, 2]
    for position in range(11):
        synset = SYNSETS[position % 3]
        path = train / synset / f"{synset}_{position // 3:04}.JPEG"
        assert np.array_equal(split.images[position], expected(path))


def test_every_mode_and_shape_becomes_a_colour_square(entry: DatasetEntry, train: Path, tmp_path: Path) -> None:
    first, second, third = (train / synset / f"{synset}_0000.JPEG" for synset in SYNSETS)
    first.write_bytes(jpeg(picture(1, 300, 129), "L"))
    second.write_bytes(jpeg(picture(2, 90, 400), "CMYK"))
    Image.fromarray(picture(3, 200, 200)).save(third, "PNG")  # one of the official .JPEG files is a PNG
    images = prepare(entry, tmp_path).splits["train"].images
    for position, path in enumerate((first, second, third)):
        assert np.array_equal(images[position], expected(path))
    assert np.array_equal(images[0, 0], images[0, 2]), "grey has equal channels"
    assert np.abs(images[1].astype(int) - expected(second)).max() == 0


def test_pixels_stay_as_they_are_stored(entry: DatasetEntry, train: Path, tmp_path: Path) -> None:
    path = train / SYNSETS[0] / f"{SYNSETS[0]}_0000.JPEG"
    exif = Image.Exif()
    exif[0x0112] = 3  # the camera was upside down
    Image.fromarray(picture(5, 160, 130)).save(path, exif=exif)
    assert np.array_equal(prepare(entry, tmp_path).splits["train"].images[0], expected(path))


def test_missing_classes_and_images_are_named_and_counted(entry: DatasetEntry, train: Path, tmp_path: Path) -> None:
    shutil.rmtree(train / SYNSETS[1])
    (train / SYNSETS[0] / f"{SYNSETS[0]}_0001.JPEG").unlink()
    (train / SYNSETS[0] / f"{SYNSETS[0]}_0002.JPEG").unlink()
    (tmp_path / "data" / "val" / SYNSETS[2] / f"{SYNSETS[2]}_0001.JPEG").unlink()
    message = refused(entry, tmp_path)
    assert f"train/ has 1 classes without images ({SYNSETS[1]})" in message
    assert f"train/ has 1 classes with fewer than 3 images ({SYNSETS[0]} 2)" in message
    assert "train/ has 5 of 11 images" in message
    assert f"val/ has 1 classes with fewer than 2 images ({SYNSETS[2]} 1)" in message
    assert "val/ has 5 of 6 images" in message


def test_an_image_that_no_class_misses_is_missed_in_the_sum(entry: DatasetEntry, train: Path, tmp_path: Path) -> None:
    (train / SYNSETS[0] / f"{SYNSETS[0]}_0001.JPEG").unlink()
    assert f"ImageNet in {tmp_path / 'data'} is not the official set: train/ has 10 of 11 images." in refused(
        entry, tmp_path
    )


def test_too_many_images_of_a_class_are_refused(entry: DatasetEntry, train: Path, tmp_path: Path) -> None:
    (train / SYNSETS[0] / "extra.JPEG").write_bytes(jpeg(picture(1, 160, 130)))
    assert f"classes with more than 4 images ({SYNSETS[0]} 5)" in refused(entry, tmp_path)


def test_a_missing_split_is_said_to_have_no_images(entry: DatasetEntry, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "data" / "val")
    assert "val/ has 3 classes without images" in refused(entry, tmp_path)


def test_a_flat_folder_says_how_it_is_sorted(entry: DatasetEntry, tmp_path: Path) -> None:
    val = tmp_path / "data" / "val"
    for number, path in enumerate(sorted(val.glob("*/*.JPEG"))):
        path.rename(val / f"ILSVRC2012_val_{number + 1:08}.JPEG")
    message = refused(entry, tmp_path)
    assert f"{val} has 6 images outside of class folders" in message
    assert "torchvision.datasets.ImageNet(FOLDER, 'val')" in message
    assert "ILSVRC2012_devkit_t12.tar.gz" in message


def test_corrupt_images_are_named_and_counted(entry: DatasetEntry, train: Path, tmp_path: Path) -> None:
    for name, data in (("0001", b"not an image"), ("0002", jpeg(picture(1, 160, 130))[:900])):
        (train / SYNSETS[1] / f"{SYNSETS[1]}_{name}.JPEG").write_bytes(data)
    message = refused(entry, tmp_path)
    assert f"2 of 11 images in split train of {tmp_path / 'data'} cannot be used" in message
    assert f"{SYNSETS[1]}/{SYNSETS[1]}_0001.JPEG (not an image of a known format)" in message
    assert f"{SYNSETS[1]}/{SYNSETS[1]}_0002.JPEG (" in message
    assert "truncated" in message


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    for data_dir, state in (
        (None, "without an account"),
        (tmp_path, "holds none of train/, val/"),
        (tmp_path / "no", "is not a folder"),
    ):
        with pytest.raises(InputError, match=state) as caught:
            open_dataset("imagenet", cache_dir=tmp_path / "cache", data_dir=data_dir)
        assert "ILSVRC2012_img_train.tar" in str(caught.value)
        assert "--data-dir" in str(caught.value)


def test_a_subset_is_not_imagenet(entry: DatasetEntry, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="train/ has 997 classes without images") as caught:
        open_dataset("imagenet", cache_dir=tmp_path / "cache", data_dir=tmp_path / "data")
    assert "train/ has 11 of 1281167 images" in str(caught.value)


def test_the_official_classes() -> None:
    assert len(set(OFFICIAL.synsets)) == 1000
    assert list(OFFICIAL.synsets) == sorted(OFFICIAL.synsets)
    assert (OFFICIAL.synsets[0], OFFICIAL.synsets[-1]) == ("n01440764", "n15075141")
    assert DATASETS["imagenet"].prepared_bytes == 65_429_520_384
    for split, (fewest, most) in OFFICIAL.num_per_class.items():
        assert 1000 * fewest <= OFFICIAL.num_images[split] <= 1000 * most
