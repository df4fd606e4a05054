"""infra/ray/cluster.yaml: Ray's launcher takes it, and nobody but its owner gets in. It was never applied."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

FILE = Path(__file__).parents[3] / "infra" / "ray" / "cluster.yaml"


@pytest.fixture
def prepared() -> dict[str, Any]:
    """As `ray up` fills it."""
    filled: dict[str, Any] = prepare_config(yaml.safe_load(FILE.read_text()))
    return filled


def test_rays_schema_knows_every_field(prepared: dict[str, Any]) -> None:
    validate_config(prepared)
    assert prepared["available_node_types"]["gpu"]["max_workers"] == 8
    assert prepared["available_node_types"]["head"]["max_workers"] == 0
    with pytest.raises(jsonschema.ValidationError, match="max_worker"):
        validate_config({**prepared, "max_worker": 8})


def test_workers_are_spot_machines_and_the_head_runs_no_trial(prepared: dict[str, Any]) -> None:
    types = prepared["available_node_types"]
    assert types["gpu"]["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert types[prepared["head_node_type"]]["resources"] == {"CPU": 0}
    assert "InstanceMarketOptions" not in types["head"]["node_config"]


def test_only_the_owner_of_the_token_gets_in(prepared: dict[str, Any]) -> None:
    head = " ".join(prepared["head_start_ray_commands"])
    assert "--dashboard-host=127.0.0.1" in head
    assert "--env RAY_AUTH_MODE=token" in prepared["docker"]["run_options"]
    assert prepared["file_mounts"]["/home/ray/.ray"] == "~/.ray"
    assert "0.0.0.0" not in FILE.read_text()
