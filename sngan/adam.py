"""Adam over the parameters of one network, by torch's own fused step.

Not torch.optim.Adam, whose constructor imports torch's compiler, three and a half seconds in every process, and whose
step is wrapped in hooks and a profiler's record: for a small network they take as long as the step.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adam import adam


class Adam:
    """Adam of arXiv:1412.6980, Algorithm 1: biased first moments by beta1, second ones by beta2, corrected.

    Parameters without a gradient are left out of a step, and their counts of steps stand still.

    Parameters
    ----------
    parameters : of the network, on one device.
    alpha : learning rate. epsilon : added to the root of the corrected second moment.

    On a CUDA device learning rate and steps lie there, where a CUDA graph reads and counts them.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], *, alpha: float, beta1: float, beta2: float, epsilon: float
    ) -> None:
        self.parameters = list(parameters)
        self._beta1, self._beta2, self._epsilon = beta1, beta2, epsilon
        device = self.parameters[0].device
        self._on_gpu = device.type == "cuda"
        self.learning_rate: float | Tensor = torch.tensor(alpha, device=device) if self._on_gpu else alpha
        # In the order in memory that the weights have: the fused step goes by memory alone.
        self._first = [torch.zeros_like(parameter) for parameter in self.parameters]
        self._second = [torch.zeros_like(parameter) for parameter in self.parameters]
        self._steps = [torch.zeros((), device=device) for _ in self.parameters]

    def set_learning_rate(self, alpha: float) -> None:
        """Use another one from the next step on."""
        if isinstance(self.learning_rate, Tensor):
            self.learning_rate.fill_(alpha)
        else:
            self.learning_rate = alpha

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move the parameters by their gradients."""
        used = [index for index, parameter in enumerate(self.parameters) if parameter.grad is not None]
        adam(
            [self.parameters[index] for index in used],
            [gradient for parameter in self.parameters if (gradient := parameter.grad) is not None],
            [self._first[index] for index in used],
            [self._second[index] for index in used],
            [],
            [self._steps[index] for index in used],
            fused=True,
            capturable=self._on_gpu,
            amsgrad=False,
            beta1=self._beta1,
            beta2=self._beta2,
            lr=self.learning_rate,
            weight_decay=0.0,
            eps=self._epsilon,
            maximize=False,
        )

    def state_dict(self) -> dict[str, Any]:
        """Moments and steps by the parameter's number, under the names that torch.optim.Adam has for them."""
        moments = zip(self._first, self._second, self._steps, strict=True)
        return {"state": {i: {"exp_avg": m, "exp_avg_sq": v, "step": t} for i, (m, v, t) in enumerate(moments)}}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Continue with moments and steps from wherever they were made; torch.optim.Adam's are read, too.

        The learning rate stays: it is the config's, and the schedule's.
        """
        for number, one in saved["state"].items():
            self._first[number].copy_(one["exp_avg"])
            self._second[number].copy_(one["exp_avg_sq"])
            self._steps[number].copy_(one["step"])
