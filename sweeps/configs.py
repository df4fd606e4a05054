"""Configs of many trials, most of which differ in the seed alone."""

import re
from collections.abc import Iterable

# As the store and json.dumps write it; of another text nothing is taken away.
_SEED = re.compile(r'"seed": \d+')


def without_seed(config: str) -> str:
    """A config's JSON text, the same for all seeds."""
    return _SEED.sub('"seed": 0', config)


def distinct(configs: Iterable[str]) -> list[str]:
    """The configs (JSON texts) that differ in more than the seed, each once, with seed 0, in order."""
    return list(dict.fromkeys(map(without_seed, configs)))
