"""MLflow as a mirror of the store, and its pages: the one door to MLflow, which only sweeps.tracking.server imports."""

from sweeps.tracking.mirror import Mirror as Mirror
from sweeps.tracking.mirror import Mirrored as Mirrored
from sweeps.tracking.mirror import check_uri as check_uri
from sweeps.tracking.mirror import default_uri as default_uri
from sweeps.tracking.server import HeldStudy as HeldStudy
from sweeps.tracking.server import check_reachable as check_reachable
from sweeps.tracking.server import held_studies as held_studies
from sweeps.tracking.server import is_missing as is_missing
from sweeps.tracking.server import trial_page as trial_page
from sweeps.tracking.source import SyncReport as SyncReport
from sweeps.tracking.view import is_server as is_server
from sweeps.tracking.view import server_page as server_page
