"""The users: a name, a role, and the argon2 hash of a password."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from argon2 import PasswordHasher
from parvis_contract import HUB, Name
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, delete, insert, select, update

from parvis_hub import governance
from parvis_hub.governance import PROGRAMS, Role, UserChange, UserChanged
from parvis_hub.store import Database
from parvis_hub.store.schema import sessions, users

#: Long enough that guessing is hopeless at the rate that is let through; what it is made of is nobody's business (NIST SP 800-63B, 3.1.1).
MIN_PASSWORD = 12
#: Hashing takes what it is given; this keeps it from being given a book.
MAX_PASSWORD = 256
#: RFC 9106's second recommended choice: 64 MiB, three passes.
HASHER = PasswordHasher()

_NAME: TypeAdapter[str] = TypeAdapter(Name)


class BadAccount(ValueError):
    """A user or token cannot be made or changed so; the message says why."""


class NameTaken(ValueError):
    """Somebody else has this name already; the message says who must do what."""


@dataclass(frozen=True, slots=True)
class User:
    """A user, without what would let anybody be them.

    Attributes:
        name, role: As they are now.
        elsewhere: They sign in at the provider, which says what they are; there is no password.
    """

    name: str
    role: Role
    elsewhere: bool = False


class Users:
    """Reads and changes users; each change is in the accountability log, and takes effect at once in a hub that runs."""

    def __init__(self, database: Database, now_us: Callable[[], int], hasher: PasswordHasher = HASHER) -> None:
        self._database = database
        self._now_us = now_us
        self._hasher = hasher

    def any(self) -> bool:
        """True if there is a user."""
        with self._database.read() as connection:
            return connection.execute(select(users.c.name).limit(1)).first() is not None

    def all(self) -> list[User]:
        """By name."""
        with self._database.read() as connection:
            rows = connection.execute(select(users).order_by(users.c.name)).all()
        return [User(row.name, Role(row.role), row.subject is not None) for row in rows]

    def add(self, name: str, role: Role, password: str, by: str) -> None:
        """Adds one.

        Args:
            name: A Name of the contract; it will stand beside decisions.
            role: What the user may do, see ``governance.ROLES``.
            password: From 12 to 256 characters, of any kind.
            by: Who does it, a Name.

        Raises:
            BadAccount: The name is no Name, a program's or taken, or the password is too short or too long.
        """
        checked_name(name)
        hashed = self._hashed(password)
        with self._database.write() as connection:
            if connection.execute(select(users.c.name).where(users.c.name == name)).first():
                raise BadAccount(f"there is a user {name} already; see parvis-hub users role and users password")
            connection.execute(insert(users).values(name=name, role=role.value, password=hashed))
            self._record(connection, UserChanged(user=name, change=UserChange.ADDED, role=role), by)

    def set_role(self, name: str, role: Role, by: str) -> None:
        """Gives a user another role.

        Raises:
            BadAccount: There is no such user, or the provider says what they are.
        """
        with self._database.write() as connection:
            _check_here(connection, name)
            _there(connection.execute(update(users).where(users.c.name == name).values(role=role.value)).rowcount, name)
            self._record(connection, UserChanged(user=name, change=UserChange.ROLE, role=role), by)

    def set_password(self, name: str, password: str, by: str) -> None:
        """Gives a user another password; wherever they are signed in, they are no more.

        Raises:
            BadAccount: There is no such user, they have none, or the password is too short or too long.
        """
        hashed = self._hashed(password)
        with self._database.write() as connection:
            _check_here(connection, name)
            _there(connection.execute(update(users).where(users.c.name == name).values(password=hashed)).rowcount, name)
            connection.execute(delete(sessions).where(sessions.c.user == name))
            self._record(connection, UserChanged(user=name, change=UserChange.PASSWORD), by)

    def remove(self, name: str, by: str) -> None:
        """Removes a user, and signs them out; what they decided stays under their name.

        Raises:
            BadAccount: There is no such user.
        """
        with self._database.write() as connection:
            _there(connection.execute(delete(users).where(users.c.name == name)).rowcount, name)
            connection.execute(delete(sessions).where(sessions.c.user == name))
            self._record(connection, UserChanged(user=name, change=UserChange.REMOVED), by)

    def _hashed(self, password: str) -> str:
        if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
            raise BadAccount(
                f"a password has from {MIN_PASSWORD} to {MAX_PASSWORD} characters; a few words that belong together nowhere will do"
            )
        return self._hasher.hash(password)

    def _record(self, connection: Connection, about: UserChanged, by: str) -> None:
        governance.append(connection, self._now_us(), by, about)


def admit(connection: Connection, now_us: int, name: str, role: Role, subject: str) -> None:
    """Notes who somebody is that the provider vouches for, and what they are now; a change is in the accountability log.

    Args:
        connection: To write.
        now_us: Microseconds since 1970.
        name: A Name of the contract.
        role: What they are now.
        subject: Who they are at the provider, as a digest.

    Raises:
        NameTaken: The name is another's.
    """
    rows = connection.execute(select(users).where((users.c.name == name) | (users.c.subject == subject))).all()
    if any(row.subject != subject for row in rows):
        raise NameTaken("another user has this name: remove them with parvis-hub users remove, or take the name from another claim")
    known = rows[0] if rows else None
    if known is not None and known.name != name:
        # Decisions stay under the name under which they were made.
        connection.execute(delete(users).where(users.c.name == known.name))
        connection.execute(delete(sessions).where(sessions.c.user == known.name))
        governance.append(connection, now_us, HUB, UserChanged(user=known.name, change=UserChange.REMOVED))
        known = None
    if known is None:
        connection.execute(insert(users).values(name=name, role=role.value, password="", subject=subject))
        governance.append(connection, now_us, HUB, UserChanged(user=name, change=UserChange.ADDED, role=role))
    elif known.role != role.value:
        connection.execute(update(users).where(users.c.name == name).values(role=role.value))
        governance.append(connection, now_us, HUB, UserChanged(user=name, change=UserChange.ROLE, role=role))


def checked_name(name: str) -> None:
    """Raises BadAccount where a name is not one that may stand in the log for a person or a machine."""
    try:
        _NAME.validate_python(name)
    except ValidationError:
        raise BadAccount(f"{name!r} is no name: up to 32 small letters, digits and hyphens, such as a-martin") from None
    if name in PROGRAMS:
        raise BadAccount(f"{name} stands for a program in the log")


def _check_here(connection: Connection, name: str) -> None:
    if connection.execute(select(users.c.subject).where(users.c.name == name)).scalar_one_or_none() is not None:
        raise BadAccount(f"{name} signs in at the provider, which says what they are: change it there")


def _there(count: int, name: str) -> None:
    if not count:
        raise BadAccount(f"there is no user {name}; see parvis-hub users list")
