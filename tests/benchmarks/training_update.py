"""One training update (n_dis discriminator steps and one of the generator): ours, torch-mimicry's, a plain eager loop.

python -m tests.benchmarks.training_update [--cases NAME ...] [--threads N ...] [--turns N]

All have networks of the same widths on the same batches in the same process, in turns with a matrix product: what is
told beside the times is the part of the product's rate that an update reaches, by its own floating-point operations.
torch-mimicry trains by its own `train_step`, on batches that lie ready as floats (its loader would read files); ours
draws them from bytes as always. Ours is measured in bf16, too, where the processor has it. Cases that are not named
keep what was measured before.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from sngan.config import TrialConfig
from sngan.devices import cpu_has_bf16
from sngan.methods import METHODS
from sngan.models.base import ARCHITECTURES
from sngan.seeding import numpy_stream
from sngan.training import TrainState, train
from sweeps.study import STUDIES
from tests.benchmarks import options, peers
from tests.benchmarks.machine import earlier, keep
from tests.benchmarks.machine_ceilings import product
from tests.benchmarks.plain_gan import PlainGAN, plain_discriminator, plain_generator
from tests.benchmarks.turns import COMPARISON, Turns, Work, comparison_rows, repeated, show, spread, take_turns

NAME = "training_update"
NUM_IMAGES = 2000
PRODUCT = 1536  # size of the matrices in the product that stands for what the machine can do


@dataclass(frozen=True, kw_only=True)
class Peer:
    """Somebody else's update, n_dis -> nothing, and the networks it trains."""

    name: str
    update: Callable[[int], object]
    generator: nn.Module
    discriminator: nn.Module


@dataclass(frozen=True, kw_only=True)
class Case:
    """A comparison.

    extra : parameters that the peer's discriminator has and ours has not; why, in `differs`. threads : how many are
    tried where nobody says otherwise. updates : of one run.
    """

    config: TrialConfig
    channels: int
    image_size: int
    peer: Callable[["Case", np.ndarray], Peer]
    extra: int = 0
    differs: str
    threads: tuple[int, ...] = (2, 1)
    updates: int = 1


def _mimicry(case: Case, images: np.ndarray, *, kind: str) -> Peer:
    theirs = peers.mimicry()
    widths = ARCHITECTURES[case.config.architecture]
    ngf, ndf = widths.generator_widths[0], widths.discriminator_widths[0]  # type: ignore[attr-defined]
    generator = getattr(theirs, f"{kind}_generator")(nz=case.config.z_dim, ngf=ngf)
    discriminator = getattr(theirs, f"{kind}_discriminator")(ndf=ndf)
    adams = [
        torch.optim.Adam(network.parameters(), case.config.alpha, (case.config.beta1, case.config.beta2))
        for network in (generator, discriminator)
    ]
    floats = torch.from_numpy(images).float() / 127.5 - 1

    def update(n_dis: int) -> None:
        log = theirs.metric_log()
        for _ in range(n_dis):
            rows = torch.randint(len(floats), (case.config.batch_size,))
            batch = (floats[rows], None)
            log = discriminator.train_step(
                real_batch=batch, netG=generator, optD=adams[1], log_data=log, global_step=0, device="cpu"
            )
        generator.train_step(
            real_batch=batch, netD=discriminator, optG=adams[0], log_data=log, global_step=0, device="cpu"
        )

    return Peer(name="torch-mimicry", update=update, generator=generator, discriminator=discriminator)


def _plain(case: Case, images: np.ndarray) -> Peer:
    widths = ARCHITECTURES[case.config.architecture]
    gan = PlainGAN(
        plain_generator(case.config.z_dim, widths.generator_widths, case.channels, case.image_size),  # type: ignore[attr-defined]
        plain_discriminator(widths.discriminator_widths, case.channels, case.image_size),  # type: ignore[attr-defined]
        torch.from_numpy(images).float() / 127.5 - 1,
        z_dim=case.config.z_dim,
        batch=case.config.batch_size,
    )
    return Peer(name="plain loop", update=gan.update, generator=gan.generator, discriminator=gan.discriminator)


def _resnet(architecture: str, method: str) -> TrialConfig:
    config = TrialConfig(dataset="cifar10", architecture=architecture, alpha=2e-4, beta1=0.0, beta2=0.9, n_dis=5)
    return METHODS[method].apply(config)


CASES: Mapping[str, Case] = {
    "SN, ResNet": Case(
        config=_resnet("resnet-32", "sn-hinge"),
        channels=3,
        image_size=32,
        peer=partial(_mimicry, kind="sngan"),
        extra=1,
        differs="their last dense layer has a bias; they double pixels bilinearly and before the 1x1 shortcut",
    ),
    "WGAN-GP, ResNet": Case(
        config=_resnet("resnet-32-wgan-gp", "wgan-gp"),
        channels=3,
        image_size=32,
        peer=partial(_mimicry, kind="wgan_gp"),
        differs="they double pixels before the 1x1 shortcut",
    ),
    "SN, standard CNN": Case(
        config=METHODS["sn"].apply(TrialConfig(dataset="cifar10", architecture="standard-cnn", n_dis=5)),
        channels=3,
        image_size=32,
        peer=_plain,
        differs="nothing",
    ),
    "SN, small CNN, quick preset": Case(
        config=METHODS["sn"].apply(TrialConfig.from_dict(STUDIES["robustness"].preset("quick").config)),
        channels=1,
        image_size=8,
        peer=_plain,
        differs="nothing",
        threads=(1,),
        updates=20,
    ),
}


def precisions() -> list[tuple[str, dict[str, Any]]]:
    """Each precision that this processor computes with, and the fields that ask for it; the first is the default."""
    named = [("ours", {"precision": "fp32"})]
    if cpu_has_bf16():  # emulated, an update takes up to 25 times as long
        named.append(("ours, bf16", {"precision": "bf16"}))
    return named


def our_update(
    case: Case, images: np.ndarray, changes: Mapping[str, Any]
) -> tuple[Callable[[int], object], TrainState]:
    """One update of ours, whose n_dis is the config's, and the state that it moves."""
    config = case.config.replace(**changes)
    state = TrainState.start(config, channels=case.channels, image_size=case.image_size)
    return lambda _n_dis: train(state, images, state.update + 1), state


def num_parameters(network: nn.Module) -> int:
    """Numbers that are trained."""
    return sum(parameter.numel() for parameter in network.parameters())


class _NoModules:
    """In place of torch's account by module, which cannot follow a gradient of a gradient."""

    parents = frozenset({"Global"})

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def flops_of(work: Work) -> int:
    """Floating-point operations of products and convolutions in one call, backward included."""
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = _NoModules()  # type: ignore[assignment]
    with counter:
        work()
    return int(counter.get_total_flops())


def measure(case: Case, turns: int) -> tuple[Turns, dict[str, Any]]:
    """Seconds of one update of everybody, in turns, and what is kept of them."""
    steps = case.config.n_dis
    shape = (NUM_IMAGES, case.channels, case.image_size, case.image_size)
    images = numpy_stream(0, "data").integers(0, 256, shape, dtype=np.uint8)
    peer = case.peer(case, images)
    updates: dict[str, Callable[[int], object]] = {}
    for name, changes in precisions():
        updates[name], state = our_update(case, images, changes)
    mine = [num_parameters(state.generator), num_parameters(state.discriminator)]
    theirs = [num_parameters(peer.generator), num_parameters(peer.discriminator) - case.extra]
    assert mine == theirs, f"networks of different sizes: {mine} and {theirs}"
    updates[peer.name] = peer.update

    singles = {name: partial(update, steps) for name, update in updates.items()}
    flops = {name: flops_of(single) for name, single in singles.items()}  # warms up as well
    multiply, work = product(PRODUCT, torch.float32)
    works: dict[str, Work] = {name: repeated(single, case.updates) for name, single in singles.items()}
    taken = take_turns({**works, "product": multiply}, turns, warm_up=0)
    taken = taken.divided(dict.fromkeys(works, float(case.updates)))
    reached = {
        name: spread(
            [(flops[name] / s) / (work / p) for s, p in zip(taken.seconds[name], taken.seconds["product"], strict=True)]
        )
        for name in works
    }
    told = Turns({name: taken.seconds[name] for name in works})
    kept = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        **told.compared("ours"),
        "n_dis": steps,
        "batch": case.config.batch_size,
        "parameters": {"generator": mine[0], "discriminator": mine[1], "theirs has more": case.extra},
        "differs": case.differs,
        "gflop_per_update": {name: round(value / 1e9, 3) for name, value in flops.items()},
        "share_of_product_rate": {name: round(value.median, 3) for name, value in reached.items()},
        "product_gflop_per_s": round(work / taken.time("product").median / 1e9, 1),
    }
    return told, kept


def main() -> None:
    made = options.parser(__doc__)
    made.add_argument("--cases", nargs="*", choices=CASES, default=list(CASES))
    made.add_argument("--threads", nargs="*", type=int, help="else 2 and 1, for the smallest network 1")
    made.add_argument("--turns", type=int, default=5)
    made.add_argument("--n-dis", type=int, help="discriminator steps of an update, else the case's")
    arguments = options.parsed(made)
    turns = 1 if arguments.smoke else arguments.turns
    results = {} if arguments.smoke else earlier(NAME)
    lines: list[list[str]] = []
    changes = {} if arguments.n_dis is None else {"n_dis": arguments.n_dis}
    names = arguments.cases
    if arguments.smoke:
        changes, names = {"n_dis": 1, "batch_size": 2, "generator_batch_size": 2}, list(CASES)
    for case_name in names:
        case = CASES[case_name]
        case = dataclasses.replace(case, config=case.config.replace(**changes))
        for threads in case.threads[:1] if arguments.smoke else arguments.threads or case.threads:
            torch.set_num_threads(threads)
            label = f"{case_name}, {threads} thread{'s' * (threads > 1)}"
            taken, kept = measure(case, turns)
            results[label] = kept
            rows = comparison_rows(label, taken, "ours")
            lines += [[*row, f"{kept['share_of_product_rate'][row[1]]:.2f}"] for row in rows]
            if not arguments.smoke:
                keep(NAME, options.command(), results, shown=True)
    show("Seconds of one training update", (*COMPARISON, "share of GEMM rate"), lines)


if __name__ == "__main__":
    main()
