"""Run by Alembic. `sweeps.store.schema` hands it a connection, whose transaction stays its owner's.

For a new revision, change sweeps/store/tables.py, open a store in a scratch file with the code as it was before, and
    alembic -x database=sqlite:////tmp/scratch.db revision --autogenerate --rev-id 0002 -m "what changes"
"""

from typing import Any

from alembic import context
from sqlalchemy import Connection

from sweeps.store.connect import connect, parse_url
from sweeps.store.schema import VERSION_TABLE
from sweeps.store.tables import Base


def run(connection: Connection, **options: Any) -> None:
    """Run what Alembic was asked for on `connection`."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        version_table=VERSION_TABLE,
        # SQLite cannot change most things of a table in place: batches copy it.
        render_as_batch=True,
        **options,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with connect(parse_url(context.get_x_argument(as_dictionary=True)["database"])).begin() as opened:
        run(opened)
