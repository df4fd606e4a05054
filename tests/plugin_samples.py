"""Plugins as users write them, sound ones of every kind and ones with a single mistake."""

from pathlib import Path

HEAD = """
from dataclasses import dataclass
import torch
from torch import nn
from sngan.plugins import (Normalization, Penalty, Projection, Reparametrization, add_method, raw_weight, register,
                           squared_gradient_norms, weighted_layers)
"""
TAIL = """
add_method("mine", Mine(), label="My own")
"""


def of(kind: str, method: str, *, before: str = "", fields: str = "") -> str:
    """A plugin with a regularizer `Mine` of a kind whose method is written out, and the method "mine"."""
    indented = "\n".join(f"    {line}" for line in [*fields.splitlines(), *method.strip("\n").splitlines()])
    return f'{HEAD}{before}\n@register("mine")\n@dataclass(frozen=True)\nclass Mine({kind}):\n{indented}\n{TAIL}'


def penalty(body: str, *, before: str = "", fields: str = "") -> str:
    """A penalty that returns its `value` after `body`."""
    first = "value = 5 * squared_gradient_norms(inputs.discriminator, inputs.fake, inputs.fake_labels).mean()"
    lines = "\n".join(f"    {line}" for line in [first, *body.splitlines(), "return value"])
    return of("Penalty", f"def __call__(self, inputs):\n{lines}", before=before, fields=fields)


def reparametrization(body: str, *, state: str = "pass") -> str:
    """A reparametrization whose module has a state and computes `weight` anew from `weight`."""
    module = (
        "class Changed(nn.Module):\n    def __init__(self, layer, stream):\n        super().__init__()\n"
        + "".join(f"        {line}\n" for line in state.splitlines())
        + "    def forward(self, weight):\n"
        + "".join(f"        {line}\n" for line in body.splitlines())
        + "        return weight\n"
    )
    method = "def parametrization(self, layer, size, stream):\n    return Changed(layer, stream)"
    return of("Reparametrization", method, before=module)


def normalization(body: str, *, state: str = "pass") -> str:
    """A normalization whose layer has a state and computes `x` anew from `x`."""
    module = (
        "class Changed(nn.Module):\n    def __init__(self, channels):\n        super().__init__()\n"
        + "".join(f"        {line}\n" for line in state.splitlines())
        + "    def forward(self, x):\n"
        + "".join(f"        {line}\n" for line in body.splitlines())
        + "        return x\n"
    )
    method = "def layer(self, index, channels, height, width):\n    return Changed(channels)"
    return of("Normalization", method, before=module)


def projection(body: str) -> str:
    """A projection that does `body` to every layer of the discriminator."""
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    method = f"def project_(self, discriminator):\n    for layer in weighted_layers(discriminator):\n{lines}"
    return of("Projection", method)


SOUND = {
    "penalty": penalty("pass", fields="gamma: float = 10.0"),
    "reparametrization": reparametrization(
        "with torch.no_grad():\n    self.mean.lerp_(weight.norm().detach(), 0.1 if self.training else 0.0)\n"
        "weight = weight / (1 + self.mean.clone())",
        state='self.register_buffer("mean", layer.weight.detach().norm())',
    ),
    "normalization": normalization(
        "x = x * (x.square().mean(1, keepdim=True) + 1e-6).rsqrt() * self.gain",
        state="self.gain = nn.Parameter(torch.ones(channels, 1, 1))",
    ),
    "projection": projection("weight = raw_weight(layer)\nweight.mul_((3 / weight.norm()).clamp(max=1))"),
}


def write(folder: Path, text: str, name: str = "mine.py") -> Path:
    """The plugin as a file."""
    path = folder / name
    path.write_text(text)
    return path
