"""Shows generated images, as they are made, to everything that looks at them, and takes the time."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from time import perf_counter

import torch
from torch import Tensor

from sngan.metrics.samples import StreamedSample

Generate = Callable[[int], Iterator[Tensor]]  # number of images -> uint8 batches [B, C, H, W]


@dataclass
class Clock:
    """Seconds spent on making images, and per extractor on looking at them."""

    extraction_s: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    generation_s: float = 0.0


def stream(generate: Generate, samples: Mapping[str, StreamedSample], clock: Clock) -> None:
    """Show the generated images to every sample; where an image is not finite, none of them is.

    On an accelerator, which works behind the clock's back, generation may be waited for, and counted, in extraction.
    """
    num_images = max(sample.needs.num_images for sample in samples.values())
    num_seen = 0
    started = perf_counter()
    for images in generate(num_images):
        clock.generation_s += perf_counter() - started
        if images.is_floating_point() and not bool(torch.isfinite(images).all()):
            for sample in samples.values():
                sample.finite = False
            return
        assert images.dtype == torch.uint8, f"images must be uint8, not {images.dtype}"
        for name, sample in samples.items():
            started = perf_counter()
            sample.add(images)
            clock.extraction_s[name] += perf_counter() - started
        num_seen += len(images)
        if num_seen >= num_images or not any(sample.finite for sample in samples.values()):
            return
        started = perf_counter()
    raise AssertionError(f"{num_images} images were asked for, {num_seen} came")
