"""Signing in and out: what a browser holds is a random number, of which the store has the digest alone."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from parvis_contract import HUB
from sqlalchemy import ColumnElement, Connection, delete, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from parvis_hub import governance
from parvis_hub.governance import Role, SignedIn, SignInsRefused
from parvis_hub.store import Database
from parvis_hub.store.schema import logouts, sessions, users

from .limits import Attempts
from .users import HASHER, admit

#: A session ends this long after its page was last there. An open page counts: a wall must not go dark while nothing happens.
IDLE_S = 3_600.0
#: And this long after it began, whatever happens: the longest shift (NIST SP 800-63B has 12 hours at its middle level).
LONGEST_S = 12 * 3_600.0
#: That a page is there is noted so often.
_NOTED_S = 60.0
#: So many failures are worth an entry in the log, which has no more than one in this time: nobody can flood it by guessing.
_BURST, _BURST_EVERY_S = 5, 60.0


class WrongCredentials(Exception):
    """The name or the password is wrong; which of them, nobody is told."""


class TakenBefore(Exception):
    """This word of the provider's was taken before."""


class TooManyAttempts(Exception):
    """This address has guessed too often.

    Attributes:
        wait_s: How long it must wait.
    """

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"wait {wait_s:.0f} s")
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in.

    Attributes:
        name, role: Of the user, as they are now.
        csrf: What the session's own page sends with each change. It follows from what the browser holds, and that does not follow from it.
        elsewhere: They signed in at the provider.
    """

    name: str
    role: Role
    csrf: str
    elsewhere: bool = False


class Sessions:
    """Signs in and out, and knows who is. From any thread."""

    def __init__(self, database: Database, now_us: Callable[[], int], hasher: PasswordHasher = HASHER) -> None:
        self._database = database
        self._now_us = now_us
        self._hasher = hasher
        self._attempts = Attempts()
        # One password at a time: each takes 64 MiB, and guessing must not take the hub's.
        self._verifying = threading.Lock()
        self._nobody: str | None = None
        self._refused = 0
        self._told_s: float | None = None

    def sign_in(self, name: str, password: str, address: str) -> str:
        """Begins a session, and records it.

        Args:
            name: As it was typed.
            password: As it was typed.
            address: Where from; kept in memory for an hour, to slow down whoever guesses.

        Returns:
            What the browser holds from now on: 256 random bits.

        Raises:
            WrongCredentials: One of them is wrong.
            TooManyAttempts: Too many were wrong before; this one was not looked at.
        """
        with self._verifying:
            if (wait_s := self._attempts.wait_s(address, name, self._now_us() / 1e6)) > 0.0:
                raise TooManyAttempts(wait_s)
            if not self._right(name, password):
                # The time that hashing took is no part of the wait.
                now_s = self._now_us() / 1e6
                self._attempts.failed(address, name, now_s)
                self._count_refused(now_s)
                raise WrongCredentials
            self._attempts.succeeded(address, name)
        with self._database.write() as connection:
            return self._begin(connection, name, LONGEST_S, None)

    def sign_in_as(self, name: str, role: Role, subject: str, longest_h: float, sid: str | None) -> str:
        """Begins a session for somebody that the provider vouches for, and records it.

        Args:
            name: A Name of the contract.
            role: What they are now.
            subject: Who they are at the provider, as a digest.
            longest_h: When the session ends, whatever happens, hours.
            sid: Which session with the provider this is of, as a digest; None if the provider does not say.

        Returns:
            What the browser holds from now on: 256 random bits.

        Raises:
            NameTaken: The name is another's.
        """
        with self._database.write() as connection:
            admit(connection, self._now_us(), name, role, subject)
            return self._begin(connection, name, min(longest_h * 3_600.0, LONGEST_S), sid)

    def _begin(self, connection: Connection, name: str, longest_s: float, sid: str | None) -> str:
        held, now_us = secrets.token_urlsafe(32), self._now_us()
        values = {"digest": digest(held), "user": name, "seen_us": now_us, "until_us": now_us + round(longest_s * 1e6), "sid": sid}
        connection.execute(insert(sessions).values(values))
        governance.append(connection, now_us, name, SignedIn())
        return held

    def _right(self, name: str, password: str) -> bool:
        """Takes as long for a name that there is not as for one that there is."""
        if self._nobody is None:
            self._nobody = self._hasher.hash(secrets.token_urlsafe(32))
        with self._database.read() as connection:
            known = connection.execute(select(users.c.password).where(users.c.name == name)).scalar_one_or_none()
        try:
            # Who signs in at the provider has none.
            self._hasher.verify(known or self._nobody, password)
        except VerificationError:
            return False
        return bool(known)

    def _count_refused(self, now_s: float) -> None:
        self._refused += 1
        if self._refused < _BURST or (self._told_s is not None and now_s - self._told_s < _BURST_EVERY_S):
            return
        with self._database.write() as connection:
            governance.append(connection, self._now_us(), HUB, SignInsRefused(count=self._refused))
        self._refused, self._told_s = 0, now_s

    def session(self, held: str) -> Session | None:
        """Whose session this is; None if it has ended, or never was."""
        now_us = self._now_us()
        query = select(users.c.name, users.c.role, users.c.subject, sessions.c.seen_us).join(users, users.c.name == sessions.c.user)
        with self._database.read() as connection:
            row = connection.execute(query.where(sessions.c.digest == digest(held), ~_over(now_us))).one_or_none()
        if row is None:
            return None
        if now_us - row.seen_us > _NOTED_S * 1e6:
            # A store that cannot be written for a while is no reason to send everybody out.
            with contextlib.suppress(SQLAlchemyError), self._database.write() as connection:
                connection.execute(update(sessions).where(sessions.c.digest == digest(held)).values(seen_us=now_us))
        return Session(row.name, Role(row.role), hmac.digest(held.encode(), b"csrf", "sha256").hex(), row.subject is not None)

    def sign_out(self, held: str) -> None:
        """Ends a session."""
        with self._database.write() as connection:
            connection.execute(delete(sessions).where(sessions.c.digest == digest(held)))

    def sign_out_as(self, subject: str | None, sid: str | None, word: str, until_us: int) -> int:
        """Ends the sessions that the provider says have ended there; its word counts once, whenever the hub was started.

        Args:
            subject: Whose, as a digest; None if the session alone is named.
            sid: Which session with the provider, as a digest; None for all of the subject's. Sessions of the subject's of which this is not
                known end too.
            word: What names the provider's word, as a digest.
            until_us: After this it is too old to count; microseconds since 1970.

        Returns:
            How many there were.

        Raises:
            TakenBefore: Nothing has ended.
        """
        theirs = sessions.c.user.in_(select(users.c.name).where(users.c.subject == subject)) if subject else None
        if theirs is None:
            ended = sessions.c.sid == sid
        else:
            ended = theirs & (sessions.c.sid.is_(None) | (sessions.c.sid == sid)) if sid else theirs
        with self._database.write() as connection:
            if connection.execute(select(logouts.c.digest).where(logouts.c.digest == word)).first():
                raise TakenBefore
            connection.execute(insert(logouts).values(digest=word, until_us=until_us))
            return connection.execute(delete(sessions).where(ended)).rowcount

    def forget(self) -> None:
        """Deletes the sessions that have ended by themselves, and the words of the provider that would not count any more."""
        now_us = self._now_us()
        for table, over in ((sessions, _over(now_us)), (logouts, logouts.c.until_us < now_us)):
            with self._database.read() as connection:
                ended = connection.execute(select(table.c.digest).where(over).limit(1)).first()
            # So that a hub at rest writes nothing.
            if ended:
                with self._database.write() as connection:
                    connection.execute(delete(table).where(over))


def digest(held: str) -> str:
    """What the store has of 256 random bits: there is nothing to guess, so that one round is enough."""
    return hashlib.sha256(held.encode()).hexdigest()


def _over(now_us: int) -> ColumnElement[bool]:
    return (sessions.c.seen_us < now_us - round(IDLE_S * 1e6)) | (sessions.c.until_us < now_us)
