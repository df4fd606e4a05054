"""The machine's own ceilings, below which everything else stays: matrix products and copies of memory.

python -m tests.benchmarks.machine_ceilings [--turns N]

Products of square matrices in fp32 and bf16, with one thread and with as many as there are cores, and on a GPU where
there is one (fp32 without TF32). Where a product takes a second, larger ones of its type are left out. A copy
reads and writes: 2 GB/s are counted for 1 GB copied in a second.
"""

import torch

from tests.benchmarks import options
from tests.benchmarks.machine import keep
from tests.benchmarks.turns import Spread, Work, figures, repeated, show, spread, take_turns

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
_RUN_S = 0.2  # a run is as many products as take so long
_TOO_LONG_S = 1.0  # after a product that takes longer no larger one is tried


def product(size: int, dtype: torch.dtype, device: str = "cpu") -> tuple[Work, float]:
    """A square matrix product, and its floating-point operations."""
    stream = torch.Generator().manual_seed(0)
    a, b = (torch.randn(size, size, generator=stream).to(device, dtype) for _ in range(2))
    out = torch.empty_like(a)

    def run() -> None:
        torch.mm(a, b, out=out)
        if device != "cpu":
            torch.cuda.synchronize()

    return run, 2.0 * size**3


def copy(megabytes: int, device: str = "cpu") -> tuple[Work, float]:
    """A copy that no cache holds, and the bytes that it reads and writes."""
    source = torch.ones(megabytes * 10**6, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)

    def run() -> None:
        target.copy_(source)
        if device != "cpu":
            torch.cuda.synchronize()

    return run, 2.0 * source.numel()


def rates(sizes: tuple[int, ...], megabytes: int, turns: int, device: str = "cpu") -> dict[str, Spread]:
    """GFLOP/s of every product and GB/s of the copy, all in turns, with the threads that torch has now.

    sizes : ascending. Of a type whose product of one size takes too long the larger ones are left out.
    """
    works, times = {"copy": copy(megabytes, device)}, {"copy": 1}
    for dtype_name, dtype in DTYPES.items():
        for size in sizes:
            name, work = f"{dtype_name} {size}", product(size, dtype, device)
            once = take_turns({name: work[0]}, 1, warm_up=0).time(name).median
            works[name], times[name] = work, max(1, round(_RUN_S / once))
            if once > _TOO_LONG_S:
                break
    taken = take_turns({name: repeated(work, times[name]) for name, (work, _) in works.items()}, turns)
    seconds = taken.divided(times).seconds
    return {name: spread([amount / s / 1e9 for s in seconds[name]]) for name, (_, amount) in works.items()}


def main() -> None:
    made = options.parser(__doc__)
    made.add_argument("--turns", type=int, default=7)
    arguments = options.parsed(made)
    torch.backends.cuda.matmul.allow_tf32 = False
    sizes, megabytes, turns = ((256,), 16, 1) if arguments.smoke else ((1024, 1536, 2048), 512, arguments.turns)
    kept, lines = {}, []
    places = [
        (f"{threads} thread{'s' * (threads > 1)}", threads, "cpu") for threads in sorted({1, torch.get_num_threads()})
    ]
    if torch.cuda.is_available():
        places.append((torch.cuda.get_device_name(), torch.get_num_threads(), "cuda"))
    for place, threads, device in places:
        torch.set_num_threads(threads)
        for name, rate in rates(sizes, megabytes, turns, device).items():
            unit = "GB/s" if name == "copy" else "GFLOP/s"
            kept[f"{name}, {place}"] = {"unit": unit, **{k: figures(v) for k, v in rate._asdict().items()}}
            lines.append([name, place, str(rate), unit])
    show("Ceilings of this machine", ("what", "where", "rate (quartiles)", ""), lines)
    keep("machine_ceilings", options.command(), kept, smoke=arguments.smoke, shown=True)


if __name__ == "__main__":
    main()
