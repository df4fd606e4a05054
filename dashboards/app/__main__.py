"""python -m dashboards.app: serves the app for one store."""

import sys

from sweeps.launch import start

if __name__ == "__main__":
    sys.exit(start("dashboards.app", "dashboards.app.command"))
