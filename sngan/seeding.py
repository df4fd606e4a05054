"""Named random streams: every random number is drawn from (seed, purpose), never from a global generator.

Methods share streams. The same seed therefore means the same data order, the same initial draws and the same
latents in every method, which is what makes comparisons between methods paired.
"""

import hashlib
import pickle
import random
from typing import Literal

import numpy as np
import torch

Purpose = Literal["init-generator", "init-discriminator", "data", "latent", "labels", "dequantization",
                  "penalty", "evaluation", "evaluation-labels", "samples", "diagnostics", "metric", "bootstrap",
                  "search"]  # fmt: skip


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


def global_random_states() -> dict[str, bytes]:
    """The state of every generator that nobody may draw from, by its name: to see whether somebody did."""
    return {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "numpy.random": pickle.dumps(np.random.get_state()),  # noqa: NPY002 (looked at, not drawn from)
        "random": pickle.dumps(random.getstate()),
    }
