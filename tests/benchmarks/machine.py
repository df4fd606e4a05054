"""What a measurement was made on, and the table and JSON file that every benchmark ends with."""

import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import torch

RESULTS = Path(__file__).parent / "results"


# What decides how fast numbers of fewer bits are on a CPU.
_INSTRUCTIONS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16", "sve")


def describe_machine() -> dict[str, Any]:
    """Processor with its vector instructions, cores, memory in GB, GPU, system, versions that matter for speed."""
    model, flags = platform.processor(), ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = {key.strip(): value.strip() for key, _, value in map(_parted, cpuinfo.read_text().splitlines())}
        model, flags = lines.get("model name", model), lines.get("flags", lines.get("Features", ""))
    return {
        "processor": model,
        "instructions": [name for name in _INSTRUCTIONS if name in flags.split()],
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: found for name in ("torch", "onnxruntime", "ray", "mlflow", "numpy") if (found := _version(name))},
    }


def _version(package: str) -> str:
    """Empty where it is not installed: a machine that only trains needs neither Ray nor MLflow."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _parted(line: str) -> tuple[str, str, str]:
    return line.partition(":")


def keep(name: str, command: str, rows: Mapping[str, Any], *, smoke: bool = False, shown: bool = False) -> None:
    """Print `rows` as a table and write them with machine, command and date to results/NAME.json.

    smoke : write nothing, for a run that was too small to say anything. shown : the table was printed already.
    """
    width = max(map(len, rows))
    for key, value in () if shown else rows.items():
        print(f"{key:<{width}}  {value}")
    content = {
        "name": name,
        "command": command,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": describe_machine(),
        "results": dict(rows),
    }
    text = json.dumps(content, indent=1) + "\n"
    if smoke:
        print("a smoke run: nothing is kept")
        return
    path = RESULTS / f"{name}.json"
    path.write_text(text)
    print(path)


def earlier(name: str) -> dict[str, Any]:
    """The results that are kept under this name, for a benchmark that is measured piece by piece; none is {}."""
    path = RESULTS / f"{name}.json"
    return dict(json.loads(path.read_text())["results"]) if path.exists() else {}
