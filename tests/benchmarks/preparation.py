"""How many images a second are prepared, and in how much memory: ImageNet's JPEG files and STL-10's binary ones.

python -m tests.benchmarks.preparation [--images 2000]

The files are made here, in the official formats: JPEG files of 500 x 375 pixels whose spectrum falls like that of
photographs, of about the official files' mean size; binary files as large as STL-10's.
"""

import hashlib
import io
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from sngan.datasets import DatasetEntry
from sngan.datasets.catalog import open_entry
from sngan.datasets.imagenet import OfficialClasses, imagenet_entry
from sngan.datasets.stl10 import OFFICIAL, OfficialImages, stl10_entry
from tests.benchmarks import options
from tests.benchmarks.machine import keep

NUM_CLASSES = 10
NUM_DIFFERENT = 40


def photograph(number: int) -> bytes:
    """A JPEG file of 500 x 375 pixels: noise whose amplitude falls with frequency, as in photographs."""
    stream = np.random.Generator(np.random.Philox(number))
    spectrum = np.fft.rfft2(stream.normal(size=(3, 375, 500)))
    frequency = np.hypot(np.fft.fftfreq(375)[:, None], np.fft.rfftfreq(500)[None])
    waves = np.fft.irfft2(spectrum / np.maximum(frequency, 1 / 500) ** 1.2, (375, 500))
    pixels = np.clip(128 + 50 * waves / waves.std(), 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels.transpose(1, 2, 0)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def measure_imagenet(folder: Path, num_images: int) -> dict[str, float | int]:
    """Prepare `num_images` JPEG files and as many again for "val" as the format asks for: one of each class."""
    files = [photograph(number) for number in range(NUM_DIFFERENT)]
    per_class = num_images // NUM_CLASSES
    synsets = tuple(f"n{number:08}" for number in range(NUM_CLASSES))
    for split, num in (("train", per_class), ("val", 1)):
        for synset in synsets:
            (folder / split / synset).mkdir(parents=True)
            for number in range(num):
                (folder / split / synset / f"{number:05}.JPEG").write_bytes(files[number % NUM_DIFFERENT])
    entry = imagenet_entry(
        OfficialClasses(
            synsets=synsets,
            num_images={"train": per_class * NUM_CLASSES, "val": NUM_CLASSES},
            num_per_class={"train": (per_class, per_class), "val": (1, 1)},
        )
    )
    wall_s, cpu_s = _prepare(entry, folder)
    return {
        "imagenet_mean_file_kb": round(sum(map(len, files)) / len(files) / 1000),
        "imagenet_images": entry.total_images,
        "imagenet_images_per_s": round(entry.total_images / wall_s, 1),
        "imagenet_images_per_core_s": round(entry.total_images / cpu_s, 1),
        "imagenet_whole_core_h": round(1_331_167 * cpu_s / entry.total_images / 3600, 2),
    }


def _prepare(entry: DatasetEntry, folder: Path) -> tuple[float, float]:
    """Seconds by the clock, and seconds of one core: the second is the same on a machine that others use too."""
    wall, cpu = time.perf_counter(), time.process_time()
    open_entry(entry, cache_dir=folder / "cache", data_dir=folder)
    return time.perf_counter() - wall, time.process_time() - cpu


def measure_stl10(folder: Path, part: int) -> dict[str, float | int]:
    """Prepare binary files as large as a part of the official ones: 1 for all of them, 50 for a fiftieth."""
    stream = np.random.Generator(np.random.Philox(0))
    piece = stream.integers(0, 256, 100 * 3 * 96 * 96, dtype=np.uint8).tobytes()
    official = {}
    for split, images in OFFICIAL.items():
        digest = hashlib.md5(usedforsecurity=False)
        with (folder / images.file).open("wb") as file:
            pieces = max(1, images.num_images // 100 // part)
            for _ in range(pieces):
                file.write(piece)
                digest.update(piece)
        official[split] = OfficialImages(file=images.file, num_images=100 * pieces, md5=digest.hexdigest())
    entry = stl10_entry(official)
    wall_s, cpu_s = _prepare(entry, folder)
    return {"stl10_images": entry.total_images, "stl10_s": round(wall_s, 1), "stl10_core_s": round(cpu_s, 1)}


def main() -> None:
    parser = options.parser(__doc__)
    parser.add_argument("--images", type=int, default=2000, help="JPEG files")
    arguments = options.parsed(parser)
    num_images = 20 if arguments.smoke else arguments.images
    load = os.getloadavg()[0]
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with tempfile.TemporaryDirectory() as folder:
        imagenet = measure_imagenet(Path(folder), num_images)
    with tempfile.TemporaryDirectory() as folder:
        stl10 = measure_stl10(Path(folder), 50 if arguments.smoke else 1)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    keep(
        "preparation",
        options.command(),
        {
            "cores_used": len(os.sched_getaffinity(0)),
            "load_average_before": round(load, 1),
            **imagenet,
            **stl10,
            "memory_before_mb": round(before_mb),
            "memory_peak_mb": round(peak_mb),
        },
        smoke=arguments.smoke,
    )


if __name__ == "__main__":
    main()
