"""The result store: the one door to SQLAlchemy and Alembic. The store owns the truth."""

from sweeps.store.connect import NoResultsError as NoResultsError
from sweeps.store.store import ResultStore as ResultStore
from sweeps.store.store import open_store as open_store
from sweeps.store.tables import TrialState as TrialState
