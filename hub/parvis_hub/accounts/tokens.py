"""Tokens for machines: what each may read, and no more."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import delete, insert, select

from parvis_hub import governance
from parvis_hub.governance import MACHINES, May, TokenChanged
from parvis_hub.store import Database
from parvis_hub.store.schema import tokens

from .sessions import digest
from .users import BadAccount, checked_name


@dataclass(frozen=True, slots=True)
class Token:
    """A machine's token, without what would let anybody be that machine."""

    name: str
    may: frozenset[May]


class Tokens:
    """Gives tokens and takes them back; each change is in the accountability log, and takes effect at once in a hub that runs."""

    def __init__(self, database: Database, now_us: Callable[[], int]) -> None:
        self._database = database
        self._now_us = now_us

    def all(self) -> list[Token]:
        """By name."""
        with self._database.read() as connection:
            rows = connection.execute(select(tokens.c.name, tokens.c.may).order_by(tokens.c.name)).all()
        return [Token(row.name, _read(row.may)) for row in rows]

    def add(self, name: str, may: Iterable[May], by: str) -> str:
        """Makes a token.

        Returns:
            What the machine shows: 256 random bits. It is nowhere else, and cannot be had again.

        Raises:
            BadAccount: The name is no Name or taken, or no machine may do this.
        """
        checked_name(name)
        asked = sorted(set(may))
        if not asked or not MACHINES.issuperset(asked):
            raise BadAccount(f"a machine may {', '.join(sorted(MACHINES))}; name at least one of these, and no other")
        held = secrets.token_urlsafe(32)
        with self._database.write() as connection:
            if connection.execute(select(tokens.c.name).where(tokens.c.name == name)).first():
                raise BadAccount(f"there is a token {name} already; remove it first")
            connection.execute(insert(tokens).values(name=name, digest=digest(held), may=" ".join(asked)))
            governance.append(connection, self._now_us(), by, TokenChanged(token=name, may=tuple(asked)))
        return held

    def remove(self, name: str, by: str) -> None:
        """Takes a token back.

        Raises:
            BadAccount: There is none of this name.
        """
        with self._database.write() as connection:
            if not connection.execute(delete(tokens).where(tokens.c.name == name)).rowcount:
                raise BadAccount(f"there is no token {name}; see parvis-hub tokens list")
            governance.append(connection, self._now_us(), by, TokenChanged(token=name, may=()))

    def token(self, held: str) -> Token | None:
        """Whose token this is; None if nobody's."""
        with self._database.read() as connection:
            row = connection.execute(select(tokens.c.name, tokens.c.may).where(tokens.c.digest == digest(held))).one_or_none()
        return None if row is None else Token(row.name, _read(row.may))


def _read(may: str) -> frozenset[May]:
    return frozenset(May(each) for each in may.split())
