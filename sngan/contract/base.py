"""What a check is: a promise in words, whom it binds, and a function that raises where it is broken."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from sngan.errors import line_in, one_line
from sngan.methods import Method
from sngan.registry import Registry
from sngan.regularizers import Regularizer
from sngan.seeding import global_random_states

Subject = Regularizer | Method
Run = TypeVar("Run", bound=Callable[[Any], None])


class BrokenPromiseError(Exception):
    """A check's promise does not hold; the text says what was seen instead."""


@dataclass(frozen=True)
class Check:
    """promise : completes "it ...". subject : the kind of regularizer, or Method, that it binds.

    run : raises BrokenPromiseError, or whatever the subject's own code raises.
    """

    promise: str
    subject: type
    run: Callable[[Any], None]


CHECKS: Registry[Check] = Registry("check", package="sngan.contract")


def check(subject: type, promise: str) -> Callable[[Run], Run]:
    """Decorator: put the function into the registry as a check that binds every `subject`."""

    def decorate(run: Run) -> Run:
        CHECKS.add(run.__name__.replace("_", "-"), Check(promise, subject, run))
        return run

    return decorate


def checks_of(subject: Subject) -> dict[str, Check]:
    """The checks that bind a regularizer or a method, by name."""
    return {name: check for name, check in CHECKS.items() if isinstance(subject, check.subject)}


def problem(check: Check, subject: Subject) -> str:
    """What is wrong, in one line; "" where the promise is kept."""
    try:
        check.run(subject)
    except Exception as error:
        text = str(error) if isinstance(error, BrokenPromiseError) else one_line(error).removesuffix(".")
        lines = [line for file in _files(subject) if (line := line_in(error, file)) is not None]
        return f"{text} (line {lines[-1]})" if lines else text
    return ""


def _files(subject: Subject) -> Iterator[str]:
    """The files that define a regularizer, or those of a method."""
    for regularizer in subject.regularizers if isinstance(subject, Method) else (subject,):
        yield str(getattr(sys.modules.get(type(regularizer).__module__), "__file__", ""))


def demand(condition: bool, found: str) -> None:
    """Raise BrokenPromiseError, which says what was `found`, unless `condition` holds."""
    if not condition:
        raise BrokenPromiseError(found)


# --- What several checks look at ---


@contextmanager
def global_generators_kept() -> Iterator[None]:
    """Raises BrokenPromiseError where a global random generator has moved inside."""
    before = global_random_states()
    yield
    for name, state in global_random_states().items():
        demand(state == before[name], f"it draws from the global generator of {name}; draw from the stream given")


def seen(network: nn.Module) -> Mapping[str, object]:
    """Everything of a network that a guest must leave alone, as it is now."""
    parameters = dict(network.named_parameters())
    tensors = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
    return {
        **{f"the tensor {name}": tensor for name, tensor in tensors.items()},
        **{f"requires_grad of {name}": parameter.requires_grad for name, parameter in parameters.items()},
        **{f"the gradient of {name}": parameter.grad is None for name, parameter in parameters.items()},
        **{f"the identity of {name}": id(parameter) for name, parameter in parameters.items()},
        **{f"the mode of {name or 'the network'}": module.training for name, module in network.named_modules()},
    }


def changed(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    """The names of what is not as it was."""
    return [name for name in {**before, **after} if not _equal(before.get(name), after.get(name))]


def _equal(one: object, other: object) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        # NaN where NaN was is no change.
        return (
            one.dtype == other.dtype and one.shape == other.shape and torch.equal(one.nan_to_num(), other.nan_to_num())
        )
    return one == other


def demand_like(result: object, like: Tensor, what: str) -> Tensor:
    """`result` as a finite tensor of the shape and type of `like`."""
    demand(isinstance(result, Tensor), f"{what} is a {type(result).__name__}, not a tensor")
    assert isinstance(result, Tensor)
    wanted, found = (f"{list(tensor.shape)} {tensor.dtype}" for tensor in (like, result))
    demand(found == wanted, f"{what} is {found}, not {wanted}")
    demand(bool(result.isfinite().all()), f"{what} has values that are not finite")
    return result


def demand_registered_tensors(module: nn.Module) -> None:
    """Tensors must be parameters or buffers: others stay behind when a network is saved or moved to a GPU."""
    for part in module.modules():
        stray = [name for name, value in vars(part).items() if isinstance(value, Tensor)]
        demand(not stray, f"{type(part).__name__}.{next(iter(stray), '')} is a plain tensor; use register_buffer")
