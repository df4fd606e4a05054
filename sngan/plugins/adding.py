"""How a plugin adds a method."""

from typing import Any

from sngan.config import LossName, TrialConfig
from sngan.errors import InputError, unknown
from sngan.fields import field_types
from sngan.methods import METHODS, Method
from sngan.regularizers import REGULARIZERS, Regularizer

# What belongs to the setting, the preset or the seed, or has an argument of its own.
_NOT_OF_A_METHOD = frozenset({
    "alpha", "beta1", "beta2", "n_dis", "seed", "dataset", "architecture", "updates", "evaluate_every", "protocols",
    "loss", "regularizers",
})  # fmt: skip


def add_method(
    name: str,
    *regularizers: Regularizer,
    label: str = "",
    source: str = "",
    loss: LossName = "non-saturating",
    **overrides: Any,
) -> Method:
    """Add a method to the catalog and return it: a loss and what is done to the discriminator.

    regularizers : objects such as R2(), of the plugin or of the package (`sngan.regularizers`). label : how figures and
    tables write it, `name` unless given. source : where it comes from. loss : "non-saturating", "hinge" or
    "wasserstein". overrides : further fields of TrialConfig that belong to the method, such as
    discriminator_forward="separate".

    Raises InputError for a name or label that is taken and for values that mean nothing.
    """
    for what, text in (("name", name), ("label", label), ("source", source)):
        if not isinstance(text, str):
            raise InputError(f"method {name!r}: its {what} is {text!r}; a text in quotes is needed.")
    for regularizer in regularizers:
        _check_regularizer(name, regularizer)
    allowed = field_types(TrialConfig).keys() - _NOT_OF_A_METHOD
    for key in overrides:
        if key not in allowed:
            raise unknown(f"override of method {name!r}:", key, allowed)
    shown = label or name
    if shown in {method.label for method in METHODS.values()}:
        raise InputError(
            f"method {name!r}: the label {shown!r} is another method's; figures could not tell them apart."
        )
    plain = TrialConfig.from_dict({**TrialConfig().to_dict(), "loss": loss, **overrides})
    return METHODS.add(
        name,
        Method(
            name=name,
            label=shown,
            source=source or "a plugin",
            loss=plain.loss,
            regularizers=regularizers,
            overrides={key: getattr(plain, key) for key in overrides},
        ),
    )


def _check_regularizer(method: str, regularizer: object) -> None:
    """Refuse what is no regularizer's object: a class, something else, or one that was never registered."""
    if isinstance(regularizer, type):
        raise InputError(f"method {method!r}: {regularizer.__name__} is a class; write {regularizer.__name__}().")
    name = getattr(regularizer, "name", None)
    if not isinstance(regularizer, Regularizer):
        raise InputError(f"method {method!r}: {regularizer!r} is no regularizer.")
    if name not in REGULARIZERS or REGULARIZERS[str(name)] is not type(regularizer):
        raise InputError(f'method {method!r}: {type(regularizer).__name__} has no name; put @register("...") above it.')
