"""The contract of regularizers and methods as code: checks that say in words what is promised and what was found."""

from sngan.contract.base import CHECKS as CHECKS
from sngan.contract.base import BrokenPromiseError as BrokenPromiseError
from sngan.contract.base import Check as Check
from sngan.contract.base import checks_of as checks_of
from sngan.contract.base import problem as problem
