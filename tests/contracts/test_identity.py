"""What a trial's identity is may only change on purpose: every preset's digests are kept in a golden file.

After a deliberate change: python -m tests.contracts.test_identity
"""

import json
from pathlib import Path

import pytest

from sweeps.study import STUDIES, plan

GOLDEN = Path(__file__).parent.parent / "golden" / "identity.json"


def digests() -> dict[str, dict[str, str]]:
    """study/preset -> method/setting -> digest of seed 0."""
    return {
        f"{study.name}/{preset.name}": {
            f"{trial.method}/{trial.setting}": trial.digest for trial in plan(preset, seeds=1)
        }
        for study in STUDIES.values()
        for preset in study.presets.values()
    }


@pytest.mark.parametrize("name", digests())
def test_identity_is_as_kept(name: str) -> None:
    assert digests()[name] == json.loads(GOLDEN.read_text())[name]


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(digests(), indent=1) + "\n")
