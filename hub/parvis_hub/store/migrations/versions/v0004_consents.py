"""The register of consents, and sightings that only a consent's key opens.

Sightings from before belonged to nobody in a register, and are not taken over: no key could be destroyed for them.

Revision: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Makes the register, and the table of sightings anew."""
    op.create_table(
        "consents",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("participant", sa.String(32), nullable=False),
        sa.Column("tag", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(32), nullable=False),
        sa.Column("proof", sa.String(32), nullable=False),
        sa.Column("from_us", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.Column("ended_us", sa.BigInteger()),
        sa.Column("ending", sa.String(16)),
        sa.Column("expires_us", sa.BigInteger()),
    )
    op.create_index("consents_by_participant", "consents", ["participant"])
    op.create_index("consents_by_tag", "consents", ["tag"])
    op.create_index("consents_by_expiry", "consents", ["expires_us"])
    op.drop_table("sightings")
    op.create_table(
        "sightings",
        # SQLite numbers rows by itself only where the key is a plain INTEGER.
        sa.Column("row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(36), nullable=False, unique=True),
        sa.Column("consent", sa.String(36)),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
    )
    op.create_index("sightings_by_consent", "sightings", ["consent"])
    op.create_index("sightings_by_expiry", "sightings", ["expires_us"])
