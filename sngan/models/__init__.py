"""Networks: architectures by name, their initial weights, and the discriminator's regularizers built in."""

from sngan.models.base import ARCHITECTURES as ARCHITECTURES
from sngan.models.base import Architecture as Architecture
from sngan.models.base import Discriminator as Discriminator
from sngan.models.build import build_networks as build_networks
from sngan.models.build import condition_of as condition_of
