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

from sngan.errors import InputError as InputError
from sngan.fields import require as require
from sngan.plugins.adding import add_method as add_method
from sngan.regularizers import Normalization as Normalization
from sngan.regularizers import Penalty as Penalty
from sngan.regularizers import PenaltyInputs as PenaltyInputs
from sngan.regularizers import Projection as Projection
from sngan.regularizers import Reparametrization as Reparametrization
from sngan.regularizers.base import raw_weight as raw_weight
from sngan.regularizers.base import register as register
from sngan.regularizers.base import weighted_layers as weighted_layers
from sngan.regularizers.gradient_penalty import squared_gradient_norms as squared_gradient_norms
