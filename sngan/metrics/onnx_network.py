"""A frozen network run by ONNX Runtime: the same numbers to rounding, and for Inception on a CPU 1.4 times as fast.

The one door to ONNX. The packages are an extra (`pip install 'sngan-robustness[onnx]'`); without them, or where a
network cannot be taken over, torch runs it as ever.
"""

import contextlib
import importlib.util
import io
import logging
import warnings
from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from sngan.errors import one_line
from sngan.metrics.array_cache import ArrayCache, Arrays

logger = logging.getLogger(__name__)

_PACKAGES = ("onnxruntime", "onnx", "onnxscript")
# Raised when the same weights are to be written down differently: files from before are then not found.
_FORMAT = 1
# Of features that reach 10: what the order of additions makes. Anything above it is a mistake.
_TOLERANCE = 1e-4


def by_onnx_runtime(
    network: nn.Module, example: Tensor, *, key: str, files: ArrayCache, num_threads: int
) -> Callable[[Tensor], Tensor] | None:
    """What computes `network` of float32 tensors on the CPU, shaped as `example` but for the first size; None where
    that is left to torch, for a reason that is logged once.

    key : names the network and its weights. The network is written down once per machine, among `files`, and compared
    with torch's every time that it is loaded.
    """
    if any(importlib.util.find_spec(name) is None for name in _PACKAGES):
        return None
    try:
        stored = files.get("onnx", f"{key} format {_FORMAT}", lambda: {"model": _written_down(network, example)})
        run = _session(stored, num_threads)
        difference = float((run(example) - network(example)).abs().max())
    except Exception as error:  # of three libraries; none is worth a measurement
        _warn_once(f"ONNX Runtime does not take {key} over, torch runs it instead: {one_line(error, 200)}")
        return None
    if not difference <= _TOLERANCE:
        _warn_once(f"ONNX Runtime computes {key} otherwise than torch, by {difference:.2g}; torch runs it instead")
        return None
    return run


def _written_down(network: nn.Module, example: Tensor) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """The network as the bytes of an ONNX model, with any first size."""
    with (
        torch.inference_mode(mode=False),
        torch.no_grad(),
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        warnings.simplefilter("ignore")  # how the exporter does it is not for our users
        plain = example.detach().clone().contiguous()
        exported = torch.onnx.export(
            network, (plain,), dynamo=True, dynamic_shapes=({0: torch.export.Dim("images")},), verbose=False
        )
        assert exported is not None
    return np.frombuffer(exported.model_proto.SerializeToString(), dtype=np.uint8)


def _session(stored: Arrays, num_threads: int) -> Callable[[Tensor], Tensor]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(stored["model"].tobytes(), options, providers=["CPUExecutionProvider"])
    (name,) = (entry.name for entry in session.get_inputs())

    def run(inputs: Tensor) -> Tensor:
        (outputs,) = session.run(None, {name: inputs.contiguous().numpy()})
        return torch.from_numpy(outputs)

    return run


@cache
def _warn_once(text: str) -> None:
    logger.warning("%s", text)
