"""An entry of the log, its digest, and the one that it follows."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any

from parvis_contract import HUB, Closed, Name, Site, format_time, to_datetime
from pydantic import Field

from .about import KINDS, About, Digest, HubStarted, What

#: Stands for a browser that has given no name.
CONSOLE = "console"
#: Names that are no person's: nobody may decide under them.
PROGRAMS = frozenset({HUB, CONSOLE})
#: The predecessor of the first entry.
NOTHING = "0" * 64
_WHATS = {kind: what for what, kind in KINDS.items()}


class Head(Closed):
    """Where the log ends: who has noted it elsewhere can tell later whether what came before is still there.

    Attributes:
        number: Of the last entry; 0 if there is none.
        digest: Its digest.
    """

    number: Annotated[int, Field(ge=0)]
    digest: Digest

    def __str__(self) -> str:
        """As ``--head`` of the command takes it."""
        return f"{self.number}:{self.digest}"


class Entry(Closed):
    """One entry.

    Attributes:
        number: From 1, without gaps.
        at_us: When it was written, microseconds since 1970 in UTC, by the hub's clock.
        by: The operator's name; ``hub`` for the program; ``console`` for a browser that has given no name.
        what, about: What happened, and to what.
        previous: The digest of the entry before.
        digest: SHA-256 of all the rest, as canonical JSON; see :func:`digest_of`.
    """

    number: Annotated[int, Field(ge=1)]
    at_us: int
    by: Name
    what: What
    about: About
    previous: Digest
    digest: Digest

    @property
    def head(self) -> Head:
        """What a log that ends with this entry has as its head."""
        return Head(number=self.number, digest=self.digest)

    def line(self) -> str:
        """The entry as one line of JSON: canonical but for the digest, which is the last key."""
        content = content_of(
            number=self.number, at_us=self.at_us, by=self.by, what=self.what, about=_plain(self.about), previous=self.previous
        )
        return canonical(content)[:-1] + f',"digest":"{self.digest}"}}'


def canonical(value: Any) -> str:
    """JSON with sorted keys, without blanks, in ASCII: the same bytes for the same value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def content_of(*, number: int, at_us: int, by: str, what: str, about: Any, previous: str) -> dict[str, Any]:
    """An entry without its digest, as JSON has it; the time a second time for people, in RFC 3339."""
    time = format_time(to_datetime(at_us / 1e6))
    return {"about": about, "at_us": at_us, "by": by, "number": number, "previous": previous, "time": time, "what": str(what)}


def digest_of(content: dict[str, Any]) -> str:
    """SHA-256 of an entry's canonical JSON, the digest itself not in it; see :func:`content_of`."""
    return hashlib.sha256(canonical(content).encode("ascii")).hexdigest()


def sealed(after: Head, at_us: int, by: str, about: About) -> Entry:
    """The entry that follows.

    Raises:
        pydantic.ValidationError: `by` is not a Name.
    """
    what, number = _WHATS[type(about)], after.number + 1
    digest = digest_of(content_of(number=number, at_us=at_us, by=by, what=what, about=_plain(about), previous=after.digest))
    return Entry(number=number, at_us=at_us, by=by, what=what, about=about, previous=after.digest, digest=digest)


def about_text(about: About) -> str:
    """What an entry is about, as the table keeps it."""
    return canonical(_plain(about))


def digest_of_configuration(site: Site) -> HubStarted:
    """Digests of the site plan and of the legal profile, as they were read: spaces and comments of the files do not matter."""
    plan = site.model_dump(mode="json", by_alias=True, exclude={"law"})
    law = site.law.model_dump(mode="json", by_alias=True)
    return HubStarted(**{name: hashlib.sha256(canonical(value).encode()).hexdigest() for name, value in (("site", plan), ("profile", law))})


def _plain(about: About) -> Any:
    return about.model_dump(mode="json")
