"""What Ray and Tune are told by their environment, which they read when they are imported: import this before them."""

import os
import secrets
import sys

# What a user has set wins.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # a trial without a GPU sees none
    "RAY_AIR_NEW_OUTPUT": "0",  # the older output is silent at verbosity 0
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_MAX_PENDING_TRIALS_PG": "1000000",  # sweeps.ray_queue decides
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",  # nothing restores from Tune's own state
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "TUNE_FORCE_TRIAL_CLEANUP_S": "1",  # a stop does not wait for the end of a long interval (default: 600 s)
}
for _name, _value in _ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)


def keep_to_this_machine() -> None:
    """Have a Ray that is started here listen on loopback, and to nobody who does not know a token that only this
    process and its children have: Ray runs whatever code reaches it. In time only before Ray is imported.
    """
    if "ray" in sys.modules:
        return
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # on Linux, too: no cluster, hence loopback
    if "RAY_AUTH_MODE" not in os.environ:
        # In the environment, not in a file: by itself Ray would write one into the home folder.
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
