"""Named random streams: every random number is drawn from (seed, purpose), never from a global generator.

Methods share streams. The same seed therefore means the same data order, the same initial draws and the same
latents in every method, which is what makes comparisons between methods paired.
"""

import hashlib
from typing import Literal

import numpy as np
import torch

Purpose = Literal["init-generator", "init-discriminator", "data", "latent", "dequantization", "penalty",
                  "evaluation", "samples", "diagnostics", "metric", "bootstrap"]  # fmt: skip


def stream_seed(seed: int, purpose: Purpose, *position: int) -> int:
    """A 63-bit seed that depends on all arguments and on nothing else (BLAKE2b)."""
    text = ":".join([str(seed), purpose, *map(str, position)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def torch_stream(seed: int, purpose: Purpose, *position: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A torch generator at the start of the stream (seed, purpose, position...)."""
    return torch.Generator(device).manual_seed(stream_seed(seed, purpose, *position))


def numpy_stream(seed: int, purpose: Purpose, *position: int) -> np.random.Generator:
    """A NumPy generator (Philox) at the start of the stream (seed, purpose, position...)."""
    return np.random.Generator(np.random.Philox(stream_seed(seed, purpose, *position)))
