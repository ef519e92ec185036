"""Which logout tokens of the provider were taken, so that none is taken twice, whenever the hub was started.

Revision: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Adds the table."""
    op.create_table(
        "logouts",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("until_us", sa.BigInteger, nullable=False),
    )
