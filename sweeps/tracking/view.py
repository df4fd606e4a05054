"""Where to look in MLflow's pages: the address of a study's run table, and its columns as a stored view.

The page shows no parameter or metric until its reader picks some, and opens elsewhere unless the address says so.
The form of a stored view is not documented by MLflow; where it changes, the page shows its own default.
"""

import json
import shlex
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from sngan.metrics.catalog import METRICS

VIEW = "overview"
VIEW_TAG = f"mlflow.sharedViewState.{VIEW}"
IMAGES = "samples"  # name of the series of sample grids
LOCAL_PAGE = "http://127.0.0.1:5000"  # where `mlflow ui` listens


def run_table_link(uri: str, experiment_id: str) -> str:
    """The address of the run table: on the server, or for a database where `mlflow ui` will listen."""
    parts = urlsplit(uri)
    base = LOCAL_PAGE
    if parts.scheme in ("http", "https"):
        host = parts.netloc.rpartition("@")[2]  # without user and password
        base = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
    query = urlencode({"workflowType": "machine_learning", "viewStateShareKey": VIEW})
    return f"{base}/#/experiments/{experiment_id}/runs?{query}"


def run_link(uri: str, experiment_id: str, run_id: str) -> str:
    """The address of one run."""
    before, runs, _ = run_table_link(uri, experiment_id).partition("/runs?")
    return f"{before}{runs[:-1]}/{run_id}?workflowType=machine_learning"


def ui_command(uri: str) -> str | None:
    """The command that serves the pages of a local database with few processes, or None for a server."""
    if uri.startswith(("http://", "https://")):
        return None
    return f"MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false mlflow ui --workers 1 --backend-store-uri {shlex.quote(uri)}"


def stored_view(metric: str, updates: int, created_ms: int) -> str:
    """The value of the experiment's tag VIEW_TAG: trials with method, setting, seed, scores and state, best first.

    Its charts: score over updates, sample grids side by side at `updates`, and settings against scores.
    """
    best = f"metrics.`{metric}_best`"
    state = {
        "searchFilter": "tags.kind = 'trial'",
        "orderByKey": best,
        "orderByAsc": METRICS[metric].lower_is_better,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": [
            "params.`method`", "params.`setting`", "params.`seed`", f"metrics.`{metric}_final`", best,
            "tags.`state`", "attributes.`Duration`",
        ],
        "columnOrder": [],
        "columnWidths": {},
        "runsExpanded": {},
        "runsPinned": [],
        "runsHidden": [],
        "runsVisibilityMap": {},
        "runsHiddenMode": "FIRST_20_RUNS",
        "viewMaximized": False,
        "runListHidden": False,
        "isAccordionReordered": True,
        "useGroupedValuesInCharts": True,
        "hideEmptyCharts": True,
        "groupBy": None,
        "groupsExpanded": {},
        "autoRefreshEnabled": True,
        "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
        "compareRunSections": [{"uuid": "scores", "name": "Scores", "display": True, "isReordered": False,
                                "deleted": False, "isGenerated": False}],
        "compareRunCharts": _charts(f"{metric}_best", updates),
    }  # fmt: skip
    view = {"name": VIEW, "createdAt": created_ms, "updatedAt": created_ms, "state": json.dumps(state)}
    return json.dumps(view)


def _charts(best: str, updates: int) -> list[dict[str, Any]]:
    chart = {"deleted": False, "isGenerated": False, "metricSectionId": "scores"}
    axes = {"xAxisKey": "step", "scaleType": "linear", "xAxisScaleType": "linear", "lineSmoothness": 0,
            "useGlobalLineSmoothing": True, "yAxisKey": "metric", "yAxisExpressions": [], "selectedXAxisMetricKey": "",
            "range": {"xMin": None, "xMax": None, "yMin": None, "yMax": None}}  # fmt: skip
    return [
        {**chart, **axes, "uuid": "best", "type": "LINE", "metricKey": best, "selectedMetricKeys": [best],
         "selectedYAxisMetricKeys": [best]},
        {**chart, "uuid": "grids", "type": "IMAGE", "imageKeys": [IMAGES], "step": updates, "showRunParams": False},
        {**chart, "uuid": "settings", "type": "PARALLEL", "displayName": "settings to scores",
         "selectedParams": ["method", "alpha", "beta1", "beta2", "n_dis"], "selectedMetrics": [best],
         "showAllRuns": True, "runsCountToCompare": 100},
    ]  # fmt: skip
