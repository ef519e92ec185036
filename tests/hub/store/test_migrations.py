"""A store of any earlier version becomes one of this version, with all that is in it; one of a later version is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from parvis_contract import Site
from parvis_hub import governance
from parvis_hub.store import Database, StoreError, migrations
from parvis_hub.store.database import connect
from parvis_hub.store.schema import metadata
from sqlalchemy import MetaData, select, text

from tests.hub.store.test_store import Keeping, a_shot
from tests.hub.street import write_site
from tests.postgres import Postgres


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return write_site(tmp_path / "site.yaml")


def test_the_steps_lead_to_the_tables_that_the_hub_uses(site: Site, store_url: str) -> None:
    database = Database(store_url, site.site)
    whole = MetaData()
    for table in (*metadata.tables.values(), *governance.log.metadata.tables.values()):
        table.to_metadata(whole)
    ours = {"include_name": lambda name, kind, _: kind != "table" or name in whole.tables}
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts=ours), whole) == []
    database.close()


def test_a_store_from_before_migrations_keeps_what_it_has(site: Site, store_url: str) -> None:
    engine = connect(store_url)
    with engine.begin() as connection:
        command.upgrade(migrations._config(connection), "0001")
        # Such a store has the tables, and no note of how far it has come.
        connection.execute(text(f"DROP TABLE {migrations.VERSION_TABLE}"))
    with engine.begin() as connection:
        incident = '{"data": {"position": {"lon": 5.25, "lat": 43.5}}}'
        connection.execute(
            text(
                "INSERT INTO incidents (id, type, state, verdict, first_us, last_us, revision, published, expires_us, message)"
                " VALUES ('an-id', 'sound.impulse', 'open', 'unconfirmed', 1, 2, 3, 3, 4, :message)"
            ),
            {"message": incident},
        )
    engine.dispose()
    database = Database(store_url, site.site)
    with database.read() as connection:
        row = connection.execute(select(metadata.tables["incidents"])).one()
    assert (row.id, row.revision, row.lon, row.lat) == ("an-id", 3, 5.25, 43.5)
    database.close()


def test_a_store_of_a_later_version_is_left_alone(site: Site, store_url: str) -> None:
    database = Database(store_url, site.site)
    with database.write() as connection:
        connection.execute(text(f"UPDATE {migrations.VERSION_TABLE} SET version_num = '9999'"))
    database.close()
    with pytest.raises(StoreError, match=r"of version 9999; this hub knows versions up to 00\d\d"):
        Database(store_url, site.site)


def test_a_gis_reads_incidents_as_points(site: Site, postgresql: Postgres) -> None:
    keeping = Keeping(site, postgresql.database())
    (name,) = keeping.keep(a_shot())
    with keeping.database.read() as connection:
        place = connection.execute(text("SELECT id, ST_AsText(place, 4), ST_SRID(place) FROM incident_places")).one()
    (row,) = keeping.desk.incidents()
    position = row.message.data.position
    assert place == (name, f"POINT({round(position.lon, 4):g} {round(position.lat, 4):g})", 4326)
    keeping.database.close()
