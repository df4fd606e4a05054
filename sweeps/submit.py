"""python -m sweeps.submit: hands studies to a cluster, and says what has become of them."""

import sys

from sweeps.launch import start

if __name__ == "__main__":
    sys.exit(start("sweeps.submit", "sweeps.commands.submit"))
