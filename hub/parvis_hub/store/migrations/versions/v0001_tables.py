"""The tables as they were when stores began to be migrated; one made before that has them already.

Revision: 0001
"""

from __future__ import annotations

from functools import partial

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# SQLite numbers rows by itself only where the key is a plain INTEGER.
ROW = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_table = partial(op.create_table, if_not_exists=True)
_index = partial(op.create_index, if_not_exists=True)


def upgrade() -> None:
    """Makes them."""
    _table(
        "commands",
        sa.Column("unit", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("counter", sa.BigInteger(), nullable=False),
        sa.Column("issued_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("acknowledged_us", sa.BigInteger()),
        sa.Column("refused", sa.String(length=32)),
        sa.PrimaryKeyConstraint("unit", "kind"),
    )
    _table(
        "counters",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    _table(
        "decisions",
        sa.Column("row", ROW, autoincrement=True, nullable=False),
        sa.Column("incident", sa.String(length=36), nullable=False),
        sa.Column("event", sa.String(length=36), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("by", sa.String(length=32), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row"),
    )
    _index("ix_decisions_event", "decisions", ["event"])
    _index("ix_decisions_expires_us", "decisions", ["expires_us"])
    _index("ix_decisions_incident", "decisions", ["incident"])
    _table(
        "events",
        sa.Column("row", ROW, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("event", sa.String(length=36), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("unit", sa.String(length=32), nullable=False),
        sa.Column("time_us", sa.BigInteger(), nullable=False),
        sa.Column("received_us", sa.BigInteger(), nullable=False),
        sa.Column("too_late", sa.Boolean(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("row"),
        sa.UniqueConstraint("id"),
    )
    _index("events_by_event", "events", ["event"])
    _index("events_by_expiry", "events", ["expires_us"])
    _index("events_by_time", "events", ["time_us"])
    _table(
        "facts",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    _table(
        "flows",
        sa.Column("row", ROW, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("unit", sa.String(length=32), nullable=False),
        sa.Column("time_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("row"),
        sa.UniqueConstraint("id"),
    )
    _index("flows_by_expiry", "flows", ["expires_us"])
    _table(
        "gaps",
        sa.Column("unit", sa.String(length=32), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("unit", "first"),
    )
    _table(
        "incidents",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("first_us", sa.BigInteger(), nullable=False),
        sa.Column("last_us", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("published", sa.Integer(), nullable=False),
        sa.Column("superseded_by", sa.String(length=36)),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    _index("incidents_by_expiry", "incidents", ["expires_us"])
    _index("incidents_by_time", "incidents", ["last_us"])
    _table(
        "members",
        sa.Column("event", sa.String(length=36), nullable=False),
        sa.Column("incident", sa.String(length=36), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("event"),
    )
    _index("ix_members_expires_us", "members", ["expires_us"])
    _index("ix_members_incident", "members", ["incident"])
    _table(
        "plates",
        sa.Column("row", ROW, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("unit", sa.String(length=32), nullable=False),
        sa.Column("time_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("event", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("row"),
        sa.UniqueConstraint("id"),
    )
    _index("ix_plates_event", "plates", ["event"])
    _index("plates_by_expiry", "plates", ["expires_us"])
    _table(
        "sightings",
        sa.Column("row", ROW, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("unit", sa.String(length=32), nullable=False),
        sa.Column("time_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("row"),
        sa.UniqueConstraint("id"),
    )
    _index("sightings_by_expiry", "sightings", ["expires_us"])
    _table(
        "units",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("last_seen_us", sa.BigInteger()),
        sa.Column("newest_us", sa.BigInteger()),
        sa.Column("next_sequence", sa.BigInteger()),
        sa.Column("status", sa.Text()),
        sa.Column("telemetry", sa.Text()),
        sa.PrimaryKeyConstraint("name"),
    )
    _table(
        "audit",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=32), nullable=False),
        sa.Column("what", sa.String(length=32), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    _table(
        "audit_head",
        sa.Column("one", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("one"),
    )
