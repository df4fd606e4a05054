"""What every regularizer promises, and every one of its kind, at weights and images such as training has.

Of a kind, the checks that find causes come first: of a plugin that is refused, the first broken promise is told.
"""

import copy
import json

import torch
from torch import Tensor, nn

from sngan.config import TrialConfig
from sngan.contract.base import (
    changed,
    check,
    demand,
    demand_like,
    demand_registered_tensors,
    global_generators_kept,
    seen,
)
from sngan.fields import field_types
from sngan.models import build_networks
from sngan.regularizers import (
    REGULARIZERS,
    Normalization,
    Penalty,
    PenaltyInputs,
    Projection,
    Regularizer,
    Reparametrization,
)
from sngan.regularizers.base import PlacedLayer
from sngan.seeding import torch_stream

_OF_THE_OPTIMIZER = frozenset({"alpha", "beta1", "beta2", "n_dis"})
KINDS: tuple[type[Regularizer], ...] = (Reparametrization, Normalization, Penalty, Projection)


@check(Regularizer, "is a frozen dataclass of exactly one kind")
def frozen(regularizer: Regularizer) -> None:
    """The decorator is inherited from the kind only in part: it must stand above the class itself."""
    cls = type(regularizer)
    kinds = [kind.__name__ for kind in KINDS if isinstance(regularizer, kind)]
    demand(len(kinds) == 1, f"it is of {len(kinds)} kinds: {', '.join(kinds) or 'none'}")
    own = vars(cls).get("__dataclass_params__")
    demand(own is not None and own.frozen, f"put @dataclass(frozen=True) above class {cls.__name__}")


@check(Regularizer, "has a default for every field, and fields that a config can write and read")
def plain_fields(regularizer: Regularizer) -> None:
    """The way through JSON is that of checkpoints, of the database and of messages to workers."""
    config = TrialConfig(regularizers=(type(regularizer)(),))
    again = TrialConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    demand(again == config, f"{again.regularizers[0]} came back for {config.regularizers[0]}")
    demand(REGULARIZERS[regularizer.name] is type(regularizer), "it is registered under another name")


@check(Regularizer, "says in `searched` which of its float fields a search may vary, and from where to where")
def searched_fields(regularizer: Regularizer) -> None:
    """Nothing there means that its defaults are used."""
    types = field_types(type(regularizer))
    for name, ends in dict(regularizer.searched).items():
        demand(types.get(name) is float, f"it has no float field {name!r}; it has {', '.join(types) or 'none at all'}")
        demand(name not in _OF_THE_OPTIMIZER, f"{name!r} is searched as the optimizer's; call the field otherwise")
        low, high = ends
        demand(0 < low < high < float("inf"), f"{name!r} from {low!r} to {high!r}; two positive numbers, lower first")
        for end in ends:
            type(regularizer)(**{name: float(end)})


# --- Penalties ---


def _discriminator() -> nn.Module:
    """A small discriminator with weights that pass signals on."""
    return build_networks(TrialConfig(discriminator_init="lecun"), channels=1, image_size=8)[1]


def _images() -> tuple[Tensor, Tensor]:
    """Real images [6, 1, 8, 8] all over [-1, 1], and fake ones close to 0, as an untrained generator draws them."""
    real = 2 * torch.rand(6, 1, 8, 8, generator=torch_stream(0, "data")) - 1
    return real, 0.1 * torch.randn(6, 1, 8, 8, generator=torch_stream(0, "latent")).tanh()


def _penalty(penalty: Penalty, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    return penalty(PenaltyInputs(discriminator, real, fake, torch_stream(3, "penalty")))


@check(Penalty, "leaves images and discriminator as they were")
def penalty_leaves_all_alone(penalty: Penalty) -> None:
    """Weights, buffers, gradients and mode; the images' values and whether they require gradients."""
    discriminator, (real, fake) = _discriminator(), _images()
    before, images = seen(discriminator), {"inputs.real": real.clone(), "inputs.fake": fake.clone()}
    _penalty(penalty, discriminator, real, fake)
    touched = changed(before, seen(discriminator)) + changed(images, {"inputs.real": real, "inputs.fake": fake})
    demand(not touched, f"{', '.join(touched[:3])} changed")
    for name, image in (("real", real), ("fake", fake)):
        demand(not image.requires_grad, f"inputs.{name} requires a gradient now; work on inputs.{name}.detach()")


@check(Penalty, "draws random numbers from its stream alone")
def penalty_draws_from_its_stream(penalty: Penalty) -> None:
    """Resuming and pairing by seed need it."""
    discriminator = _discriminator()
    with global_generators_kept():
        _penalty(penalty, discriminator, *_images())


@check(Penalty, "returns one finite number, float32")
def penalty_is_a_number(penalty: Penalty) -> None:
    """A tensor without dimensions."""
    demand_like(_penalty(penalty, _discriminator(), *_images()), torch.zeros(()), "the penalty")


@check(Penalty, "passes gradients on to the discriminator's weights")
def penalty_has_gradients(penalty: Penalty) -> None:
    """Otherwise it changes nothing."""
    discriminator = _discriminator()
    value = _penalty(penalty, discriminator, *_images())
    demand(value.requires_grad, "the penalty has no graph; was it made with .detach(), .item() or no_grad?")
    torch.autograd.backward(value)
    gradients = [p.grad for p in discriminator.parameters() if p.grad is not None]
    demand(any(bool((g != 0).any()) for g in gradients), "no weight gets a gradient other than 0")
    demand(all(bool(g.isfinite().all()) for g in gradients), "gradients are not finite")


@check(Penalty, "gives the same number again from the same stream")
def penalty_repeats(penalty: Penalty) -> None:
    """It has no memory: it is called with other images at every update."""
    values = [_penalty(penalty, _discriminator(), *_images()) for _ in range(2)]
    demand(torch.equal(values[0], values[1]), f"{values[0].tolist()} first, {values[1].tolist()} then")


# --- Reparametrizations ---


def _layers() -> list[PlacedLayer]:
    """Dense layers and convolutions, wide and narrow, as they stand in discriminators."""
    layers: list[nn.Conv2d | nn.Linear] = [nn.Linear(5, 1), nn.Linear(3, 7), nn.Conv2d(2, 4, 3), nn.Conv2d(4, 2, 4, 2)]
    stream = torch_stream(1, "init-discriminator")
    for layer in layers:
        nn.init.normal_(layer.weight, generator=stream)
        assert layer.bias is not None
        nn.init.normal_(layer.bias, generator=stream)
    return [PlacedLayer(layer, (8, 8) if isinstance(layer, nn.Conv2d) else (1, 1)) for layer in layers]


def _modules(regularizer: Reparametrization, layers: list[PlacedLayer]) -> list[nn.Module]:
    return regularizer.parametrizations(layers, torch_stream(0, "init-discriminator"))


def _weights(regularizer: Reparametrization, placed: PlacedLayer) -> list[Tensor]:
    return [getattr(placed.layer, name) for name in regularizer.tensors]


@check(Reparametrization, "keeps shape and type of every weight, and finite values")
def reparametrization_keeps_shape(regularizer: Reparametrization) -> None:
    """For dense layers and convolutions."""
    layers = _layers()
    for placed, module in zip(layers, _modules(regularizer, layers), strict=True):
        demand(isinstance(module, nn.Module), f"parametrization() gives a {type(module).__name__}, not an nn.Module")
        for weight in _weights(regularizer, placed):
            demand_like(module(weight), weight, f"the effective weight of {placed.layer}")


@check(Reparametrization, "leaves raw weights as they were, and keeps its tensors in parameters or buffers")
def reparametrization_leaves_raw_weights(regularizer: Reparametrization) -> None:
    """In training and in evaluation."""
    layers = _layers()
    before = [seen(placed.layer) for placed in layers]
    for placed, module in zip(layers, _modules(regularizer, layers), strict=True):
        for mode in (True, False):
            module.train(mode)
            for weight in _weights(regularizer, placed):
                module(weight)
        demand_registered_tensors(module)
    for placed, then in zip(layers, before, strict=True):
        touched = changed(then, seen(placed.layer))
        demand(not touched, f"{', '.join(touched)} of {placed.layer} changed")


@check(Reparametrization, "draws random numbers from its stream alone")
def reparametrization_draws_from_its_stream(regularizer: Reparametrization) -> None:
    """When it is built and when it acts."""
    layers = _layers()
    with global_generators_kept():
        for placed, module in zip(layers, _modules(regularizer, layers), strict=True):
            for weight in _weights(regularizer, placed):
                module(weight)


@check(Reparametrization, "passes finite gradients on to every raw weight")
def reparametrization_has_gradients(regularizer: Reparametrization) -> None:
    """Of a random linear function of the effective weight: few such functions are constant."""
    layers, stream = _layers(), torch_stream(2, "penalty")
    for placed, module in zip(layers, _modules(regularizer, layers), strict=True):
        for weight in _weights(regularizer, placed):
            value = (module(weight) * torch.randn(weight.shape, generator=stream)).sum()
            demand(value.requires_grad, f"the effective weight of {placed.layer} has no graph")
            torch.autograd.backward(value)
            demand(weight.grad is not None and bool((weight.grad != 0).any()), f"{placed.layer} gets no gradient")
            assert weight.grad is not None
            demand(bool(weight.grad.isfinite().all()), f"the gradient of {placed.layer} is not finite")


@check(Reparametrization, "gives the same weights again from the same stream")
def reparametrization_repeats(regularizer: Reparametrization) -> None:
    """Its initial state is a function of the seed."""
    layers = _layers()
    pairs = zip(layers, _modules(regularizer, layers), _modules(regularizer, layers), strict=True)
    for placed, one, other in pairs:
        for weight in _weights(regularizer, placed):
            demand(torch.equal(one(weight), other(weight)), f"the effective weight of {placed.layer} differs")


# --- Normalizations ---

_CONVOLUTIONS = ((0, 16, 8), (1, 32, 4), (2, 32, 4), (3, 64, 2))  # index, channels, height and width


def _inserted(regularizer: Normalization) -> list[tuple[nn.Module, Tensor]]:
    """The layers behind hidden convolutions, each with activations [8, channels, h, w] of mean 5 and deviation 3."""
    layers = [(regularizer.layer(index, width, size, size), width, size) for index, width, size in _CONVOLUTIONS]
    stream = torch_stream(0, "penalty")
    found = [
        (layer, 5 + 3 * torch.randn(8, width, size, size, generator=stream))
        for layer, width, size in layers
        if layer is not None
    ]
    demand(bool(found), "layer() gives None for every convolution")
    for layer, _ in found:
        demand(isinstance(layer, nn.Module), f"layer() gives a {type(layer).__name__}, not an nn.Module or None")
    return found


@check(Normalization, "keeps shape and type of activations, and finite values")
def normalization_keeps_shape(regularizer: Normalization) -> None:
    """In training and in evaluation."""
    for layer, x in _inserted(regularizer):
        for mode in (True, False):
            demand_like(layer.train(mode)(x), x, f"the output at {x.shape[1]} channels")


@check(Normalization, "leaves its input as it was, and keeps its tensors in parameters or buffers")
def normalization_leaves_its_input(regularizer: Normalization) -> None:
    """The input belongs to the convolution before it."""
    for layer, x in _inserted(regularizer):
        before = x.clone()
        layer(x)
        demand(torch.equal(x, before), f"the input at {x.shape[1]} channels changed")
        demand_registered_tensors(layer)


@check(Normalization, "draws no random numbers")
def normalization_draws_nothing(regularizer: Normalization) -> None:
    """It is given no stream."""
    with global_generators_kept():
        layers = [regularizer.layer(index, width, size, size) for index, width, size in _CONVOLUTIONS]
    for layer, (_, width, size) in zip(layers, _CONVOLUTIONS, strict=True):
        if layer is not None:
            with global_generators_kept():
                layer(torch.ones(4, width, size, size))


@check(Normalization, "passes finite gradients on to what lies before it")
def normalization_has_gradients(regularizer: Normalization) -> None:
    """Of a random linear function of the output: that of a normalized output's sum is 0."""
    stream = torch_stream(2, "penalty")
    for layer, x in _inserted(regularizer):
        x.requires_grad_()
        value = (layer(x) * torch.randn(x.shape, generator=stream)).sum()
        demand(value.requires_grad, "the output has no graph")
        torch.autograd.backward(value)
        demand(x.grad is not None and bool((x.grad != 0).any()), "the input gets no gradient")
        assert x.grad is not None
        demand(bool(x.grad.isfinite().all()), "the input's gradient is not finite")


@check(Normalization, "gives the same output again")
def normalization_repeats(regularizer: Normalization) -> None:
    """Two layers that were just built are equal."""
    for (one, x), (other, _) in zip(_inserted(regularizer), _inserted(regularizer), strict=True):
        demand(torch.equal(one(x), other(x)), f"the output at {x.shape[1]} channels differs")


# --- Projections ---


def _large_discriminator() -> nn.Module:
    """One with weights a thousand times too large: there is something to move."""
    discriminator = _discriminator()
    with torch.no_grad():
        for parameter in discriminator.parameters():
            parameter.mul_(1000)
    return discriminator


@torch.no_grad()
def _projected(projection: Projection, discriminator: nn.Module) -> nn.Module:
    projection.project_(discriminator)
    return discriminator


@check(Projection, "moves weights that are a thousand times too large, in place")
def projection_moves(projection: Projection) -> None:
    """The optimizer holds the very same parameters before and after."""
    discriminator = _large_discriminator()
    before = seen(discriminator)
    touched = changed(before, seen(_projected(projection, discriminator)))
    other = [name for name in touched if not name.startswith("the tensor ")]
    demand(not other, f"{', '.join(other[:3])} changed")
    demand(bool(touched), "no weight moved; change tensors in place (weight.clamp_(...), weight.copy_(...))")


@check(Projection, "keeps shape and type of weights, and finite values")
def projection_keeps_shape(projection: Projection) -> None:
    """For ordinary weights and for large ones."""
    for discriminator in (_discriminator(), _large_discriminator()):
        before = copy.deepcopy(discriminator.state_dict())
        for name, tensor in _projected(projection, discriminator).state_dict().items():
            demand_like(tensor, before[name], name)


@check(Projection, "draws no random numbers")
def projection_draws_nothing(projection: Projection) -> None:
    """It is given no stream."""
    discriminator = _large_discriminator()
    with global_generators_kept():
        _projected(projection, discriminator)


@check(Projection, "moves equal weights to equal weights")
def projection_repeats(projection: Projection) -> None:
    """It has no memory."""
    touched = changed(*(_projected(projection, _large_discriminator()).state_dict() for _ in range(2)))
    demand(not touched, f"{', '.join(touched[:3])} differ")
