"""What a claim may say about scores, one file per rule: it turns a score table into contrasts."""

from sweeps.rules.base import RULES as RULES
from sweeps.rules.base import Rule as Rule
from sweeps.rules.evidence import Contrast as Contrast
from sweeps.rules.evidence import Decision as Decision
from sweeps.rules.evidence import Evidence as Evidence
from sweeps.rules.evidence import decide as decide
