"""Where an incident is, in columns: so that it can be asked for by place.

Revision: 0002
"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_VIEW = """
CREATE VIEW incident_places AS
SELECT id, type, state, verdict, first_us, last_us, ST_SetSRID(ST_MakePoint(lon, lat), 4326) AS place
FROM incidents WHERE superseded_by IS NULL
"""


def upgrade() -> None:
    """Adds longitude and latitude, of what there is already too; on PostgreSQL also the view that a GIS reads."""
    connection = op.get_bind()
    with op.batch_alter_table("incidents") as table:
        table.add_column(sa.Column("lon", sa.Float()))
        table.add_column(sa.Column("lat", sa.Float()))
    incidents = sa.table("incidents", sa.column("id"), sa.column("message"), sa.column("lon"), sa.column("lat"))
    for name, message in connection.execute(sa.select(incidents.c.id, incidents.c.message)).all():
        position = json.loads(message)["data"]["position"]
        connection.execute(sa.update(incidents).where(incidents.c.id == name).values(lon=position["lon"], lat=position["lat"]))
    with op.batch_alter_table("incidents") as table:
        table.alter_column("lon", existing_type=sa.Float(), nullable=False)
        table.alter_column("lat", existing_type=sa.Float(), nullable=False)
    op.create_index("incidents_by_place", "incidents", ["lon", "lat"])
    if connection.dialect.name == "postgresql":
        op.execute("CREATE EXTENSION IF NOT EXISTS postgis")
        op.execute(_VIEW)
