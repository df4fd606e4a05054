"""Where this machine keeps what can be made again."""

import os
from pathlib import Path


def default_cache_dir() -> Path:
    """$SNGAN_CACHE, else sngan below $XDG_CACHE_HOME or ~/.cache."""
    if own := os.environ.get("SNGAN_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "sngan"
