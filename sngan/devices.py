"""Devices that training may run on, as torch sees them."""

import torch

from sngan.errors import InputError, one_line


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
