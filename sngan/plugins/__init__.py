"""What a plugin is written with: a Python file of one's own that defines a regularizer and the methods that use it.

    from dataclasses import dataclass
    from sngan.plugins import Penalty, PenaltyInputs, add_method, register, squared_gradient_norms

    @register("r2")
    @dataclass(frozen=True)
    class R2(Penalty):
        gamma: float = 10.0

        def __call__(self, inputs: PenaltyInputs):
            squares = squared_gradient_norms(inputs.discriminator, inputs.fake, inputs.fake_labels)
            return 0.5 * self.gamma * squares.mean()

    add_method("r2", R2())

`python -m sngan check FILE` says whether it keeps the contract, `--plugin FILE` lets it take part.
"""

from sngan.errors import InputError
from sngan.fields import require
from sngan.plugins.adding import add_method
from sngan.regularizers import Normalization, Penalty, PenaltyInputs, Projection, Reparametrization
from sngan.regularizers.base import raw_weight, register, weighted_layers
from sngan.regularizers.gradient_penalty import squared_gradient_norms

# Listed, so that the reference shows what is meant for plugins on one page.
__all__ = [
    "InputError",
    "Normalization",
    "Penalty",
    "PenaltyInputs",
    "Projection",
    "Reparametrization",
    "add_method",
    "raw_weight",
    "register",
    "require",
    "squared_gradient_norms",
    "weighted_layers",
]
