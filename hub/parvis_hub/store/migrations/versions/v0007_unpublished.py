"""What the broker has not confirmed is found without looking through every incident that there is.

Revision: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Adds an index that holds no more than these."""
    waiting = sa.text("published < revision")
    op.create_index("incidents_unpublished", "incidents", ["last_us", "id"], sqlite_where=waiting, postgresql_where=waiting)
