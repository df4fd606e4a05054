"""A whole update as one CUDA graph: what `sngan.training.update` does, without launching its thousands of small
kernels one by one.

A graph repeats the kernels of one update on the same memory. All that changes from update to update comes from the CPU:
real images, and the random numbers of the trial's streams, which stay on the CPU so that one seed means the same
latents on every device. `HostTape` knows what an update takes from there, makes it anew for the next one, and has it
copied at once.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.overrides import TorchFunctionMode

from sngan.errors import one_line
from sngan.state import TrainState
from sngan.training import update

logger = logging.getLogger(__name__)

_WARM_UPS = 2  # plain updates before the one that is recorded: libraries choose their kernels in them
_SLOTS = 4  # updates that may be queued on the device
_ALIGNMENT = 256  # bytes; what CUDA's own allocations have

_warned_of: set[str] = set()


@dataclass(frozen=True)
class _Entry:
    """One thing that an update takes from the CPU. `make` makes the next one: an equal shape and type every time."""

    make: Callable[[], Tensor]
    shape: torch.Size
    dtype: torch.dtype
    offset: int  # bytes, in the buffers that hold all entries


class HostTape:
    """What an update takes from the CPU, in order: recorded once, then made anew for each update that is replayed.

    Until `end_recording` every thing taken is a new tensor on the device. From then on it is a part of one buffer
    there, the same at every update, and `refill` has the next update's values written into it: by way of page-locked
    memory on the host, in slots used in turn, so that the CPU is ahead of the device and neither waits for the other.
    """

    def __init__(self, state: TrainState) -> None:
        self._state = state
        self._device = state.device
        self._entries: list[_Entry] = []
        self._num_bytes = 0
        self._buffer: Tensor | None = None
        self._slots: list[_Slot] = []
        self._next_slot = 0
        self._next_entry = 0

    @contextmanager
    def taking(self) -> Iterator[None]:
        """Inside, the state and its streams give what the tape gives."""
        before = self._state.from_host
        self._state.from_host = self._take
        self._next_entry = 0
        try:
            with _Draws(self._state.streams, self._take):
                yield
        finally:
            self._state.from_host = before

    def _take(self, make: Callable[[], Tensor]) -> Tensor:
        if self._buffer is None:
            value = make()
            self._entries.append(_Entry(make, value.shape, value.dtype, self._num_bytes))
            self._num_bytes += -(-value.nbytes // _ALIGNMENT) * _ALIGNMENT
            return value.to(self._device, non_blocking=True)
        entry = self._entries[self._next_entry]
        self._next_entry += 1
        return _part(self._buffer, entry)

    def end_recording(self) -> None:
        """From now on things are parts of one buffer."""
        assert self._buffer is None, "recorded once"
        self._buffer = torch.zeros(self._num_bytes, dtype=torch.uint8, device=self._device)
        self._slots = [_Slot(self._num_bytes, self._device) for _ in range(_SLOTS)]

    @property
    def ready(self) -> bool:
        """Whether `refill` would not have to wait for the device."""
        return not self._slots or self._slots[self._next_slot].free

    def refill(self) -> None:
        """Make the next update's values and have them copied, after all that the device has been given so far."""
        assert self._buffer is not None, "recorded before"
        slot = self._slots[self._next_slot]
        self._next_slot = (self._next_slot + 1) % len(self._slots)
        slot.wait()
        for entry in self._entries:
            value = entry.make()
            assert (value.shape, value.dtype) == (entry.shape, entry.dtype), "every update takes the same shapes"
            _part(slot.memory, entry).copy_(value)
        self._buffer.copy_(slot.memory, non_blocking=True)
        slot.sent()


class _Slot:
    """Memory on the host that may be written again once the device has copied it."""

    def __init__(self, num_bytes: int, device: torch.device) -> None:
        on_gpu = device.type == "cuda"
        self.memory = torch.empty(num_bytes, dtype=torch.uint8, pin_memory=on_gpu)
        self._copied = torch.cuda.Event() if on_gpu else None  # type: ignore[no-untyped-call]

    @property
    def free(self) -> bool:
        """True before the first use, too."""
        return self._copied is None or bool(self._copied.query())  # type: ignore[no-untyped-call]

    def wait(self) -> None:
        """Until it is free."""
        if self._copied is not None:
            self._copied.synchronize()

    def sent(self) -> None:
        """Its copy has been queued."""
        if self._copied is not None:
            self._copied.record()


def _part(buffer: Tensor, entry: _Entry) -> Tensor:
    num_bytes = entry.shape.numel() * entry.dtype.itemsize
    return buffer[entry.offset : entry.offset + num_bytes].view(entry.dtype).view(entry.shape)


class _Draws(TorchFunctionMode):
    """Hands every draw from one of the streams to `take`; whoever draws gets a tensor on the trial's device."""

    def __init__(self, streams: Mapping[str, torch.Generator], take: Callable[[Callable[[], Tensor]], Tensor]) -> None:
        super().__init__()
        self._streams = list(streams.values())
        self._take = take

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call `func`, or tape it."""
        kwargs = kwargs or {}
        if any(kwargs.get("generator") is stream for stream in self._streams):
            return self._take(partial(func, *args, **kwargs))
        return func(*args, **kwargs)


class GraphedUpdate:
    """Calling it does one `sngan.training.update` of a state on a CUDA device: the first few plainly, then by a graph.

    An update that cannot be captured (a plugin's penalty that asks the device for a number, say) is done plainly for
    ever, with one warning. Running out of memory is an error as everywhere. Must be called on one and the same CUDA
    stream, not the default one.
    """

    def __init__(self, state: TrainState, images: NDArray[np.uint8], labels: NDArray[np.int64] | None = None) -> None:
        self._state = state
        self._plain = partial(update, state, images, labels)
        self._tape = HostTape(state)
        self._left = _WARM_UPS
        self._graph: torch.cuda.CUDAGraph | None = None
        self._impossible = False

    @property
    def ready(self) -> bool:
        """Whether a call would not have to wait for the device."""
        return self._tape.ready

    def __call__(self) -> None:
        """Do one update."""
        if self._graph is not None:
            self._tape.refill()
            self._graph.replay()
        elif self._impossible or self._left > 0:
            self._left -= 1
            self._plain()
        else:
            with self._tape.taking():
                self._plain()
            self._tape.end_recording()
            self._capture()

    def _capture(self) -> None:
        """Have the kernels of an update put into a graph; none of them is run."""
        graph = torch.cuda.CUDAGraph()
        try:
            self._drop_gradients()  # those of the graph lie in its own memory
            with torch.cuda.graph(graph, stream=torch.cuda.current_stream(self._state.device)), self._tape.taking():
                self._plain()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            self._impossible = True
            self._drop_gradients()
            if self._state.config.digest not in _warned_of:
                _warned_of.add(self._state.config.digest)
                logger.warning("an update cannot be a CUDA graph, it is done plainly: %s", one_line(error, 200))
            return
        self._graph = graph

    def _drop_gradients(self) -> None:
        self._state.generator_optimizer.zero_grad()
        self._state.discriminator_optimizer.zero_grad()
