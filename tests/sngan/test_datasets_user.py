"""A user's own images: folders and .npz files become data sets; whatever cannot be used is named."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sngan.config import TrialConfig
from sngan.datasets import Dataset, open_dataset, prepare_images
from sngan.datasets.cache import measured_digest
from sngan.datasets.pixels import square
from sngan.errors import InputError
from sngan.inputs import check_names


def noise(number: int, *shape: int) -> np.ndarray:
    return np.random.Generator(np.random.Philox(number)).integers(0, 256, shape, dtype=np.uint8)


def save(path: Path, pixels: np.ndarray, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.fixture
def prepare(tmp_path: Path) -> Callable[..., Dataset]:
    return lambda source, image_size=16, **options: prepare_images(
        source, image_size=image_size, cache_dir=tmp_path / "cache", **options
    )


@pytest.fixture
def refused(tmp_path: Path, prepare) -> Callable[..., str]:
    """Prepares, expects an InputError of one or two lines and an empty cache, returns the message."""

    def attempt(source: Path, **options: object) -> str:
        with pytest.raises(InputError) as caught:
            prepare(source, **options)
        datasets = tmp_path / "cache" / "datasets"
        assert not datasets.exists() or {path.name for path in datasets.iterdir()} <= {".images.lock"}
        assert len(str(caught.value).splitlines()) <= 2
        return str(caught.value)

    return attempt


def test_a_folder_of_images_in_the_order_of_their_paths(tmp_path: Path, prepare) -> None:
    source = tmp_path / "photos"
    for number, name in enumerate(["c.png", "a.PNG", "b.bmp", "deep/er/d.webp"]):
        options = {"lossless": True} if name.endswith("webp") else {}
        save(source / name, noise(number, 16, 16, 3), **options)
    (source / "notes.txt").write_text("not an image")
    (source / ".thumbnails").mkdir()
    save(source / ".thumbnails" / "a.png", noise(9, 16, 16, 3))
    save(source / "._a.png", noise(9, 16, 16, 3))
    dataset = prepare(source)
    expected = np.stack([noise(number, 16, 16, 3).transpose(2, 0, 1) for number in (1, 2, 0, 3)])
    assert np.array_equal(dataset.splits["train"].images, expected)
    assert list(dataset.splits) == ["train"]
    assert (dataset.channels, dataset.image_size, dataset.num_classes) == (3, 16, None)
    assert dataset.splits["train"].labels is None


def test_the_name_is_the_content_and_opens_it_again(tmp_path: Path, prepare) -> None:
    save(tmp_path / "one" / "a.png", noise(0, 16, 16, 3))
    save(tmp_path / "two" / "renamed.png", noise(0, 16, 16, 3))
    dataset = prepare(tmp_path / "one")
    assert dataset.name == "images-" + dataset.digest[:12]
    assert measured_digest(dataset) == dataset.digest
    again = open_dataset(dataset.name, cache_dir=tmp_path / "cache")
    assert again.digest == dataset.digest
    assert np.array_equal(again.splits["train"].images, dataset.splits["train"].images)
    assert prepare(tmp_path / "two").name == dataset.name
    assert prepare(tmp_path / "one", image_size=8).name != dataset.name
    folders = [path.name for path in (tmp_path / "cache" / "datasets").iterdir() if path.is_dir()]
    assert len(folders) == 2


def test_what_suits_no_trial_is_refused_before_an_image_is_read(tmp_path: Path, prepare) -> None:
    for number in range(4):
        save(tmp_path / "mine" / f"{number}.png", noise(number, 8, 8, 3))
    dataset = prepare(tmp_path / "mine", image_size=8)
    config = TrialConfig(dataset=dataset.name, architecture="small-cnn", protocols=("fid/gen100-train5-digits",))
    cache_dir = tmp_path / "cache"
    with pytest.raises(InputError, match=r"needs 5 real images, but split 'train' .* has 4"):
        check_names(config, "cpu", cache_dir)
    with pytest.raises(InputError, match="unknown split"):
        check_names(config.replace(protocols=("fid/gen100-test2-digits",)), "cpu", cache_dir)
    with pytest.raises(InputError, match=f"not {dataset.image_size}"):
        check_names(config.replace(architecture="resnet-128", protocols=()), "cpu", cache_dir)
    check_names(config, "cpu", tmp_path / "elsewhere")  # on another machine it may be there


def test_subfolders_are_classes_and_train_and_test_are_splits(tmp_path: Path, prepare) -> None:
    for number, name in enumerate(["train/dog/1", "train/cat/x/2", "train/dog/3", "test/dog/4"]):
        save(tmp_path / "pets" / f"{name}.png", noise(number, 16, 16, 3))
    dataset = prepare(tmp_path / "pets")
    assert dataset.num_classes == 2
    assert dataset.splits["train"].labels.tolist() == [0, 1, 1]
    assert dataset.splits["test"].labels.tolist() == [1]
    assert np.array_equal(dataset.splits["test"].images[0], noise(3, 16, 16, 3).transpose(2, 0, 1))


def test_images_beside_the_class_folders_mean_no_classes(tmp_path: Path, prepare) -> None:
    save(tmp_path / "mixed" / "cat" / "1.png", noise(0, 16, 16, 3))
    save(tmp_path / "mixed" / "2.png", noise(1, 16, 16, 3))
    assert prepare(tmp_path / "mixed").num_classes is None


def test_links_to_folders_are_followed_but_not_in_circles(tmp_path: Path, prepare) -> None:
    save(tmp_path / "elsewhere" / "1.png", noise(0, 16, 16, 3))
    source = tmp_path / "linked"
    source.mkdir()
    (source / "cat").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "up").symlink_to(source)
    assert len(prepare(source).splits["train"]) == 1


def test_grey_images_have_one_channel_unless_one_is_coloured(tmp_path: Path, prepare) -> None:
    source = tmp_path / "grey"
    save(source / "1.png", noise(0, 16, 16))
    save(source / "2.jpg", noise(1, 16, 16), quality=95)
    grey = prepare(source)
    assert grey.channels == 1
    assert np.array_equal(grey.splits["train"].images[0, 0], noise(0, 16, 16))
    save(source / "3.png", noise(2, 16, 16, 3))
    coloured = prepare(source)
    assert coloured.channels == 3
    assert np.array_equal(coloured.splits["train"].images[0], np.stack([noise(0, 16, 16)] * 3))


def test_progress_counts_to_the_end_over_all_pieces(tmp_path: Path, prepare) -> None:
    np.savez(tmp_path / "x.npz", x=noise(0, 600, 8, 8), test_images=noise(1, 30, 8, 8))
    calls: list[tuple[int, int]] = []
    dataset = prepare(tmp_path / "x.npz", image_size=8, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(256, 630), (512, 630), (600, 630), (630, 630)]
    assert np.array_equal(dataset.splits["train"].images[:, 0], noise(0, 600, 8, 8))


def test_small_images_are_enlarged_with_a_warning(tmp_path: Path, prepare, caplog) -> None:
    save(tmp_path / "mix" / "a.png", noise(0, 8, 40, 3))
    save(tmp_path / "mix" / "b.png", noise(0, 40, 40, 3))
    assert prepare(tmp_path / "mix").splits["train"].images.shape == (2, 3, 16, 16)
    assert "1 of 2 images" in caplog.text
    assert "smaller than 16 pixels" in caplog.text


# One image


def test_the_central_square_is_kept() -> None:
    pixels = np.zeros((20, 41), np.uint8)
    pixels[:, 10:30] = 200
    image = Image.fromarray(pixels)
    assert np.array_equal(square(image, image_size=20, channels=1), np.full((1, 20, 20), 200))
    assert np.array_equal(
        square(image.transpose(Image.Transpose.ROTATE_90), image_size=20, channels=1)[0, 1], [200] * 20
    )


def test_shrinking_does_not_alias() -> None:
    """Stripes of one pixel must become their mean; without antialiasing they would become 0 or 255."""
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    small = square(Image.fromarray(stripes), image_size=8, channels=1)
    assert np.abs(small.astype(int) - 127.5).max() <= 6


def test_an_image_of_the_right_size_is_not_changed() -> None:
    pixels = noise(3, 16, 16, 3)
    assert np.array_equal(square(Image.fromarray(pixels), image_size=16, channels=3), pixels.transpose(2, 0, 1))


def test_transparent_parts_are_white() -> None:
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:, :4, 3] = 255  # the left half is black and opaque, the right half black and invisible
    result = square(Image.fromarray(pixels), image_size=8, channels=3)
    assert (result[:, :, :4] == 0).all()
    assert (result[:, :, 4:] == 255).all()


def test_images_are_turned_upright(tmp_path: Path, prepare) -> None:
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:16] = 255  # stored with the bright half on top
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by 180 degrees
    save(tmp_path / "photos" / "a.jpg", pixels, exif=exif, quality=100)
    image = prepare(tmp_path / "photos").splits["train"].images[0]
    assert image[:, :6].max() < 20
    assert image[:, 10:].min() > 235


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_every_common_mode_is_read(tmp_path: Path, prepare, mode: str) -> None:
    suffix = "jpg" if mode == "CMYK" else "png"
    path = tmp_path / "modes" / f"a.{suffix}"
    path.parent.mkdir()
    Image.fromarray(np.full((16, 16, 3), 255, np.uint8)).convert(mode).save(path)
    dataset = prepare(path.parent)
    assert dataset.channels == (1 if mode in ("1", "L", "LA") else 3)
    assert dataset.splits["train"].images.min() >= 254


# Folders that cannot be used


def test_broken_files_are_named_and_counted(tmp_path: Path, refused) -> None:
    source = tmp_path / "photos"
    for number in range(20):
        path = save(source / f"{number:02}.png", noise(number, 32, 32, 3))
        if number % 2:
            path.write_bytes(path.read_bytes()[:2000])
    message = refused(source)
    assert f"10 of 20 images in split train of {source} cannot be used" in message
    assert all(f"{number:02}.png" in message for number in (1, 3, 5, 7, 9))
    assert "11.png" not in message
    assert "and 5 more" in message
    assert "truncated" in message


def test_files_that_are_no_images_are_named(tmp_path: Path, refused) -> None:
    source = tmp_path / "photos"
    save(source / "good.png", noise(0, 32, 32, 3))
    (source / "empty.jpg").write_bytes(b"")
    (source / "text.png").write_text("hello")
    (source / "gone.png").symlink_to(tmp_path / "nowhere")
    save(source / "deep.png", noise(0, 32, 32).astype(np.uint16) * 257)
    message = refused(source)
    assert "4 of 5 images" in message
    assert "empty.jpg (not an image of a known format)" in message
    assert "text.png (not an image of a known format)" in message
    assert "gone.png (No such file or directory)" in message
    assert "deep.png (ValueError: an image of mode I;16; allowed: 8 bits per channel)" in message


def test_other_formats_behind_a_known_suffix_are_not_opened(tmp_path: Path, refused) -> None:
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (16, 16)).save(tmp_path / "photos" / "a.png", format="TIFF")
    assert "a.png (not an image of a known format)" in refused(tmp_path / "photos")


def test_a_folder_without_images(tmp_path: Path, refused) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "a.gif").write_bytes(b"GIF89a")
    message = refused(tmp_path / "empty")
    assert "there are no images below" in message
    assert ".bmp, .jpeg, .jpg, .png, .webp" in message


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["train/1", "val/2"], "but also val/2.png beside it"),
        (["train/1", "2"], "but also 2.png beside it"),
        (["test/1"], "images in test/ but none in train/"),
        (["train/cat/1", "test/2"], "train/ has a subfolder for every class and test/ has not"),
        (["train/1", "test/cat/2"], "test/ has a subfolder for every class and train/ has not"),
        (["train/cat/1", "test/cow/2"], "test/ has classes that train/ has not: cow"),
    ],
)
def test_contradictory_folders(tmp_path: Path, refused, files: list[str], message: str) -> None:
    for name in files:
        save(tmp_path / "pets" / f"{name}.png", noise(0, 16, 16, 3))
    assert message in refused(tmp_path / "pets")


@pytest.mark.parametrize("image_size", [0, -8, 7, 1025, 16.5, "big", True])
def test_absurd_sizes(tmp_path: Path, refused, image_size: object) -> None:
    save(tmp_path / "photos" / "a.png", noise(0, 16, 16, 3))
    assert "image_size" in refused(tmp_path / "photos", image_size=image_size)


def test_sources_that_are_neither_folder_nor_npz(tmp_path: Path, refused) -> None:
    assert "does not exist" in refused(tmp_path / "absent")
    (tmp_path / "a.zip").write_bytes(b"PK")
    assert "neither a folder of images nor an .npz file" in refused(tmp_path / "a.zip")


# .npz files


@pytest.mark.parametrize("name", ["images", "x"])
@pytest.mark.parametrize("layout", ["grey", "grey-last", "last", "first"])
def test_every_layout_of_an_npz(tmp_path: Path, prepare, name: str, layout: str) -> None:
    channels = 1 if "grey" in layout else 3
    images = noise(0, 5, channels, 16, 16)
    stored = {
        "grey": images[:, 0],
        "grey-last": images.transpose(0, 2, 3, 1),
        "last": images.transpose(0, 2, 3, 1),
        "first": images,
    }[layout]
    np.savez_compressed(tmp_path / "a.npz", **{name: stored})
    dataset = prepare(tmp_path / "a.npz")
    assert np.array_equal(dataset.splits["train"].images, images)
    assert dataset.num_classes is None


def test_labels_and_a_test_split_of_an_npz(tmp_path: Path, prepare) -> None:
    np.savez(
        tmp_path / "a.npz",
        x=noise(0, 4, 16, 16),
        y=np.array([0, 4, 1, 1], np.uint8),
        test_images=noise(1, 2, 16, 16),
        test_labels=np.array([2, 0]),
    )
    dataset = prepare(tmp_path / "a.npz")
    assert dataset.num_classes == 5
    assert dataset.splits["train"].labels.tolist() == [0, 4, 1, 1]
    assert dataset.splits["test"].labels.tolist() == [2, 0]
    assert dataset.splits["train"].labels.dtype == np.int64


def test_images_of_an_npz_are_cropped_and_resized_like_files(tmp_path: Path, prepare) -> None:
    images = noise(0, 3, 40, 60, 3)
    np.savez(tmp_path / "a.npz", images=images)
    for number, image in enumerate(images):
        save(tmp_path / "files" / f"{number}.png", image)
    assert prepare(tmp_path / "a.npz").digest == prepare(tmp_path / "files").digest


GOOD = noise(0, 4, 16, 16)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "no array of training images"),
        ({"test_images": GOOD}, "no array of training images"),
        ({"labels": np.zeros(4, int)}, "no array of training images"),
        ({"images": GOOD, "x": GOOD}, "has the images twice"),
        ({"image": GOOD}, "unknown array in"),
        ({"images": GOOD, "lables": np.zeros(4, int)}, "Did you mean 'labels'?"),
        ({"images": GOOD / 255}, "float64; allowed: uint8"),
        ({"images": GOOD.astype(np.int32)}, "int32; allowed: uint8"),
        ({"images": GOOD[0]}, "shape (16, 16); allowed"),
        ({"images": GOOD[None, None]}, "shape (1, 1, 4, 16, 16); allowed"),
        ({"images": noise(0, 4, 16, 16, 4)}, "shape (4, 16, 16, 4); allowed"),
        ({"images": noise(0, 4, 3, 16, 3)}, "axis 1 or axis 3"),
        ({"images": GOOD[:0]}, "there are none"),
        ({"images": GOOD, "test_images": GOOD[:0]}, "there are none"),
        ({"images": noise(0, 4, 0, 16)}, "there are none"),
        ({"images": GOOD, "test_images": noise(0, 4, 16, 16, 3)}, "of 1, test_images of 3 channels"),
        ({"images": GOOD, "labels": np.zeros(3, int)}, "shape (3,); allowed: (4,)"),
        ({"images": GOOD, "labels": np.zeros((4, 1), int)}, "shape (4, 1); allowed: (4,)"),
        ({"images": GOOD, "labels": np.zeros(4)}, "float64; allowed: integers"),
        ({"images": GOOD, "labels": np.array([0, -1, 0, 0])}, "from -1 to 0; allowed"),
        ({"images": GOOD, "labels": np.array([0, 1, 2, 2**40])}, "to 1099511627776; allowed"),
        ({"images": GOOD, "test_images": GOOD, "labels": np.zeros(4, int)}, "labels for one split only"),
        ({"images": GOOD, "test_labels": np.zeros(4, int)}, "test_labels but no test_images"),
        ({"images": np.array([None, {}])}, "no readable .npz file of plain arrays"),
    ],
)
def test_an_npz_that_cannot_be_used(tmp_path: Path, refused, arrays: dict[str, np.ndarray], message: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    found = refused(tmp_path / "a.npz")
    assert message in found
    assert "a.npz" in found


def test_files_that_are_no_npz(tmp_path: Path, refused) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, images=GOOD)
    whole = path.read_bytes()
    for content in (b"", b"hello", whole[:500], whole[:200] + b"\xff" * 100 + whole[300:]):
        path.write_bytes(content)
        assert "no readable .npz file" in refused(path)
    with path.open("wb") as file:
        np.save(file, GOOD)
    assert "is a single array" in refused(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", b"not an array")
    assert "are |S12; allowed: uint8" in refused(path)
