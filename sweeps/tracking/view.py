"""Where to look in MLflow's pages: the addresses of a study's trials, and two stored views of them, a table and charts.

The page shows no parameter or metric until its reader picks some, and opens elsewhere unless the address says so.
The form of a stored view is not documented by MLflow; where it changes, the page shows its own default.
"""

import json
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from sngan.metrics.catalog import METRICS

TABLE, CHARTS = "trials", "charts"
IMAGES = "samples"  # name of the series of sample grids
_VIEW_TAG = "mlflow.sharedViewState."
_PARAMS = {"method": 130, "setting": 100, "seed": 70, "alpha": 90, "beta1": 80, "beta2": 80, "n_dis": 80}  # widths, px


def is_server(uri: str) -> bool:
    """Whether MLflow at `uri` has pages of its own; a database has none until it is served."""
    return uri.startswith(("http://", "https://"))


def server_page(uri: str) -> str:
    """The address of a server's pages: without user and password."""
    parts = urlsplit(uri)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))


def view_link(page: str, experiment_id: str, view: str) -> str:
    """The address of a stored view: TABLE or CHARTS. page : of the server, "http://127.0.0.1:5000"."""
    query = {"workflowType": "machine_learning", "viewStateShareKey": view}
    if view == CHARTS:
        query["compareRunsMode"] = "CHART"
    return f"{page}/#/experiments/{experiment_id}/runs?{urlencode(query)}"


def run_link(page: str, experiment_id: str, run_id: str) -> str:
    """The address of one run."""
    return f"{page}/#/experiments/{experiment_id}/runs/{run_id}?workflowType=machine_learning"


def stored_views(metric: str, updates: int, created_ms: int) -> dict[str, str]:
    """Tags of an experiment that hold both views. updates : of which sample grids are shown at first."""
    table = _table(metric)
    states = {TABLE: table, CHARTS: {**table, **_charts(metric, updates)}}
    return {
        f"{_VIEW_TAG}{name}": json.dumps(
            {"name": name, "createdAt": created_ms, "updatedAt": created_ms, "state": json.dumps(state)}
        )
        for name, state in states.items()
    }


def _table(metric: str) -> dict[str, Any]:
    """All trials, best first by what studies judge, the score at the last update: scores, state, what was varied, what
    they took.
    """
    best, final = f"metrics.`{metric}_best`", f"metrics.`{metric}_final`"
    params = {f"params.`{name}`": width for name, width in _PARAMS.items()}
    widths = {final: 110, best: 110, "tags.`state`": 110, **params}
    return {
        "searchFilter": "tags.kind = 'trial'",
        "orderByKey": final,
        "orderByAsc": METRICS[metric].lower_is_better,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": [*widths, "attributes.`Duration`"],
        "columnOrder": ["attributes.`Run Name`", *widths, "duration", "runDateAndNestInfo"],
        "columnWidths": {"attributes.`Run Name`": 200, **widths},
    }


def _charts(metric: str, updates: int) -> dict[str, Any]:
    """Settings against scores, the best score over updates, sample grids side by side; of all runs, good or bad."""
    axes = {"xAxisKey": "step", "scaleType": "linear", "xAxisScaleType": "linear", "lineSmoothness": 0,
            "useGlobalLineSmoothing": True, "yAxisKey": "metric", "yAxisExpressions": [], "selectedXAxisMetricKey": "",
            "range": {"xMin": None, "xMax": None, "yMin": None, "yMax": None}}  # fmt: skip
    best = f"{metric}_best"
    charts: dict[str, dict[str, Any]] = {
        "Settings against scores": {
            "type": "PARALLEL", "selectedParams": [name for name in _PARAMS if name not in ("setting", "seed")],
            "selectedMetrics": [f"{metric}_final"], "showAllRuns": True, "runsCountToCompare": 100,
        },
        "Scores over updates": {
            **axes, "type": "LINE", "metricKey": best, "selectedMetricKeys": [best], "selectedYAxisMetricKeys": [best],
        },
        "Sample grids": {"type": "IMAGE", "imageKeys": [IMAGES], "step": updates, "showRunParams": False},
    }  # fmt: skip
    common = {"deleted": False, "isGenerated": False}
    return {
        "runsHiddenMode": "SHOWALL",
        "isAccordionReordered": True,
        "hideEmptyCharts": True,
        "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
        "compareRunSections": [
            {**common, "uuid": name, "name": name, "display": True, "isReordered": False, "columns": 1,
             "cardHeight": 420}
            for name in charts
        ],
        "compareRunCharts": [
            {**common, **chart, "uuid": f"{name} chart", "metricSectionId": name} for name, chart in charts.items()
        ],
    }  # fmt: skip
