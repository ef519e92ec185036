"""The tables. Every row of what units said, and of what was made of it, has an expiry.

Times are microseconds since 1970 in UTC (`…_us`), ids are UUIDs in lower case, messages are the contract's JSON. A change here needs a
step in `migrations/versions`, which brings the stores there are to the same.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, MetaData, String, Table, Text, text

metadata = MetaData()

#: SQLite numbers rows by itself only where the key is a plain INTEGER.
_RowId = BigInteger().with_variant(Integer, "sqlite")

facts = Table(
    "facts",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

#: One row per message of an event, in order of arrival.
events = Table(
    "events",
    metadata,
    Column("row", _RowId, primary_key=True, autoincrement=True),
    Column("id", String(36), nullable=False, unique=True),
    Column("event", String(36), nullable=False),
    Column("type", String(32), nullable=False),
    Column("unit", String(32), nullable=False),
    Column("time_us", BigInteger, nullable=False),
    Column("received_us", BigInteger, nullable=False),
    Column("too_late", Boolean, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("message", Text, nullable=False),
    Index("events_by_event", "event"),
    Index("events_by_time", "time_us"),
    Index("events_by_expiry", "expires_us"),
)


def _other(name: str, *more: Column[str]) -> Table:
    """Counts and plates: each kind has its own table and its own retention."""
    return Table(
        name,
        metadata,
        Column("row", _RowId, primary_key=True, autoincrement=True),
        Column("id", String(36), nullable=False, unique=True),
        Column("unit", String(32), nullable=False),
        Column("time_us", BigInteger, nullable=False),
        Column("expires_us", BigInteger, nullable=False),
        Column("message", Text, nullable=False),
        *more,
        Index(f"{name}_by_expiry", "expires_us"),
    )


flows = _other("flows")
plates = _other("plates", Column("event", String(36), nullable=False, index=True))

#: Sightings of tags. `message` and `id` are sealed under the key of their consent, which is not in the store: where and when somebody was
#: seen cannot be read from here alone. Without a consent: of a tag that the site plan of a lab allows, in the clear.
sightings = Table(
    "sightings",
    metadata,
    Column("row", _RowId, primary_key=True, autoincrement=True),
    Column("id", String(36), nullable=False, unique=True),
    Column("consent", String(36)),
    Column("expires_us", BigInteger, nullable=False),
    Column("message", Text, nullable=False),
    Index("sightings_by_consent", "consent"),
    Index("sightings_by_expiry", "expires_us"),
)

#: The register of consents. One that has ended is kept, as the proof that there was one, as long as the accountability log.
consents = Table(
    "consents",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("participant", String(32), nullable=False),
    Column("tag", Integer, nullable=False),
    Column("purpose", String(32), nullable=False),
    Column("proof", String(32), nullable=False),
    Column("from_us", BigInteger, nullable=False),
    Column("until_us", BigInteger, nullable=False),
    Column("ended_us", BigInteger),
    Column("ending", String(16)),
    Column("expires_us", BigInteger),
    Index("consents_by_participant", "participant"),
    Index("consents_by_tag", "tag"),
    Index("consents_by_expiry", "expires_us"),
)

_WAITING = text("published < revision")
#: The state of every incident. One that became part of another says of which, and is shown no more.
incidents = Table(
    "incidents",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("type", String(32), nullable=False),
    Column("state", String(8), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("first_us", BigInteger, nullable=False),
    Column("last_us", BigInteger, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("published", Integer, nullable=False),
    Column("superseded_by", String(36)),
    Column("expires_us", BigInteger, nullable=False),
    Column("message", Text, nullable=False),
    Column("lon", Float, nullable=False),
    Column("lat", Float, nullable=False),
    Index("incidents_by_place", "lon", "lat"),
    Index("incidents_by_time", "last_us"),
    Index("incidents_by_expiry", "expires_us"),
    Index("incidents_unpublished", "last_us", "id", sqlite_where=_WAITING, postgresql_where=_WAITING),
)

#: Which incident an event is part of.
members = Table(
    "members",
    metadata,
    Column("event", String(36), primary_key=True),
    Column("incident", String(36), nullable=False, index=True),
    Column("expires_us", BigInteger, nullable=False, index=True),
)

#: What went from one incident to another, and when that was found.
moves = Table(
    "moves",
    metadata,
    Column("row", _RowId, primary_key=True, autoincrement=True),
    Column("source", String(36), nullable=False, index=True),
    Column("target", String(36), nullable=False, index=True),
    Column("whole", Boolean, nullable=False),
    Column("reports", Integer, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False, index=True),
)

#: What people decided, never changed. `event` is the incident's first: the decision stays with it through merges and splits.
decisions = Table(
    "decisions",
    metadata,
    Column("row", _RowId, primary_key=True, autoincrement=True),
    Column("incident", String(36), nullable=False, index=True),
    Column("event", String(36), nullable=False, index=True),
    Column("verdict", String(16), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("by", String(32), nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False, index=True),
)

#: What was told to other systems of confirmed incidents, as it stood then.
alerts = Table(
    "alerts",
    metadata,
    Column("incident", String(36), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(8), nullable=False),
    Column("sent_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("message", Text, nullable=False),
    Index("alerts_by_time", "sent_us"),
    Index("alerts_by_expiry", "expires_us"),
)

#: The last that is known of each unit.
units = Table(
    "units",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("last_seen_us", BigInteger),
    Column("newest_us", BigInteger),
    Column("next_sequence", BigInteger),
    Column("status", Text),
    Column("telemetry", Text),
    Column("clock_off_s", Float),
    Column("clock_found_us", BigInteger),
)

#: Sequence numbers that a unit has given and the hub has not received, as ranges, both ends included.
gaps = Table(
    "gaps",
    metadata,
    Column("unit", String(32), primary_key=True),
    Column("first", BigInteger, primary_key=True),
    Column("last", BigInteger, nullable=False),
)

#: The last command of each type to each unit, as it was signed, until some time after it has expired.
commands = Table(
    "commands",
    metadata,
    Column("unit", String(32), primary_key=True),
    Column("kind", String(32), primary_key=True),
    Column("counter", BigInteger, nullable=False),
    Column("issued_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("message", Text, nullable=False),
    Column("acknowledged_us", BigInteger),
    Column("refused", String(32)),
)

counters = Table(
    "counters",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

#: Who may sign in at the console. Of a password there is its argon2 hash alone; who signs in at the provider of OpenID Connect has none,
#: but a digest of who they are there.
users = Table(
    "users",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("role", String(32), nullable=False),
    Column("password", String(256), nullable=False),
    Column("subject", String(64)),
    Index("users_by_subject", "subject", unique=True),
)

#: Who is signed in, by the SHA-256 of what their browser holds; in no backup.
sessions = Table(
    "sessions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("user", String(32), nullable=False, index=True),
    Column("seen_us", BigInteger, nullable=False),
    Column("until_us", BigInteger, nullable=False),
    Column("sid", String(64)),
)

#: By which logout tokens the provider has signed somebody out, as the SHA-256 of their names, while they are fresh; in no backup.
logouts = Table(
    "logouts",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("until_us", BigInteger, nullable=False),
)

#: What machines may read, by the SHA-256 of what each shows.
tokens = Table(
    "tokens",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("may", String(256), nullable=False),
)

#: Which unit may claim a certificate: one claim each. Of its code there is the SHA-256 alone.
claims = Table(
    "claims",
    metadata,
    Column("unit", String(32), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("used_us", BigInteger),
    Column("key", String(64)),
)

#: Every certificate that the hub's authority has signed; `key` is the SHA-256 of its public key.
certificates = Table(
    "certificates",
    metadata,
    Column("serial", String(48), primary_key=True),
    Column("name", String(64), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("key", String(64), nullable=False, index=True),
    Column("until_us", BigInteger, nullable=False),
    Column("revoked_us", BigInteger),
    Column("pem", Text, nullable=False),
)

#: Models and site plans on their way to units in rings; `state` is the whole of one, as `parvis_hub.rollout` has it.
rollouts = Table(
    "rollouts",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("started_us", BigInteger, nullable=False),
    Column("phase", String(16), nullable=False),
    Column("state", Text, nullable=False),
)

#: For how long a unit was there in an hour (since 1970): what its event rates are counted by. Kept for nine days.
unit_hours = Table(
    "unit_hours",
    metadata,
    Column("unit", String(32), primary_key=True),
    Column("hour", BigInteger, primary_key=True, autoincrement=False),
    Column("seen_s", Float, nullable=False),
)
