"""Devices that training may run on, as torch sees them, and what they can compute with."""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any

import torch

from sngan.config import Precision
from sngan.errors import InputError, one_line
from sngan.results import RunOptions

logger = logging.getLogger(__name__)


def num_gpus() -> int:
    """GPUs that this process may use; CUDA_VISIBLE_DEVICES counts. Takes no memory on them."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def named_device(name: str) -> torch.device:
    """The device called `name`, whether it is there or not. Raises InputError for what is no such name."""
    try:
        return torch.device(name)
    except RuntimeError:
        raise InputError(f"unknown device {name!r}.\nKnown: cpu, cuda, cuda:0, ...") from None


def check_device(name: str) -> torch.device:
    """The device called `name`. Raises InputError where this machine has none.

    A GPU is looked for, not touched: a driver that only starts trials must not hold memory on it.
    """
    device = named_device(name)
    if device.type == "cuda":
        if (device.index or 0) >= num_gpus():
            seen = f"torch sees {num_gpus() or 'no'} GPU{'s' * (num_gpus() > 1)}"
            raise InputError(f"device {name!r} was asked for, but {seen}.\nUse --device cpu.")
    elif device.type != "cpu":
        try:
            torch.zeros(1, device=device).cpu()
        except (RuntimeError, NotImplementedError, AssertionError, ImportError) as error:
            text = one_line(error, 120)
            raise InputError(f"device {name!r} cannot be used here: {text}\nUse --device cpu.") from None
    return device


def check_precision(precision: Precision, device: torch.device) -> None:
    """Raise InputError for tf32 on a device that has none; warn once where bf16 makes training slower, not faster."""
    if precision == "tf32" and device.type != "cuda":
        raise InputError(
            f"config.precision 'tf32' needs a CUDA device, this trial runs on {device.type!r}.\n"
            "Allowed here: fp32, bf16."
        )
    if precision == "bf16" and device.type == "cpu" and not cpu_has_bf16():
        _warn_of_slow_bf16()


def cpu_has_bf16() -> bool:
    """Whether this processor multiplies bfloat16 numbers itself: AVX512-BF16, AMX or the like."""
    return any(value for name, value in torch.cpu.get_capabilities().items() if "bf16" in name)


@cache
def _warn_of_slow_bf16() -> None:
    # Measured on an AMD EPYC 7003 with torch 2.15: 2.7 times for the small CNN, 25 for the standard CNN.
    logger.warning(
        "this processor has no bfloat16 arithmetic: precision bf16 is emulated, and takes about 3 times as long as "
        "fp32 for small networks, 25 times for the paper's"
    )


def set_up_torch(options: RunOptions) -> None:
    """Threads as asked for, and float32 that is float32: cuDNN would round a convolution's inputs to 10 bits (TF32).

    Raises InputError for a device that cannot be used.
    """
    check_device(options.device)
    torch.set_num_threads(options.num_threads)
    torch.backends.cudnn.allow_tf32 = False


@contextmanager
def products_in(precision: Precision) -> Iterator[None]:
    """Inside, products of float32 matrices and convolutions on CUDA devices are rounded as `precision` allows: with
    "tf32" their factors to 10 bits, in forward and backward passes, else not at all.
    """
    backends: tuple[Any, ...] = torch.backends.cudnn, torch.backends.cuda.matmul
    before = [backend.allow_tf32 for backend in backends]
    try:
        for backend in backends:
            backend.allow_tf32 = precision == "tf32"
        yield
    finally:
        for backend, value in zip(backends, before, strict=True):
            backend.allow_tf32 = value


def own_stream(device: torch.device) -> AbstractContextManager[object]:
    """A new stream for what is done on a CUDA device: graphs are not captured in the default one."""
    return torch.cuda.stream(torch.cuda.Stream(device)) if device.type == "cuda" else nullcontext()  # type: ignore[no-untyped-call]
