"""The four kinds of regularizer, one file per regularizer."""

from sngan.regularizers.base import REGULARIZERS as REGULARIZERS
from sngan.regularizers.base import Normalization as Normalization
from sngan.regularizers.base import Penalty as Penalty
from sngan.regularizers.base import PenaltyInputs as PenaltyInputs
from sngan.regularizers.base import Projection as Projection
from sngan.regularizers.base import Regularizer as Regularizer
from sngan.regularizers.base import Reparametrization as Reparametrization
