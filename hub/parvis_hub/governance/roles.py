"""Who may do what: the roles of the people at the console, and the one table that says what each may."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class May(StrEnum):
    """What somebody may do; every address of the console but the page's own files asks for one of these."""

    SEE_INCIDENTS = "see-incidents"
    DECIDE = "decide"
    SEE_PLATES = "see-plates"
    SEE_UNITS = "see-units"
    SEE_ROUTES = "see-routes"
    MANAGE_CONSENT = "manage-consent"
    SEE_LOG = "see-log"
    READ_FEEDS = "read-feeds"
    READ_METRICS = "read-metrics"
    MANAGE_FLEET = "manage-fleet"


class Role(StrEnum):
    """What somebody is at the console; each has one."""

    OPERATOR = "operator"
    SUPERVISOR = "supervisor"
    MAINTAINER = "maintainer"
    DATA_PROTECTION_OFFICER = "data-protection-officer"


#: Nobody who decides an incident may be without its plate, and nobody who mends units needs one. Routes are of people who asked for them:
#: whoever looks after these people sees them, and whoever must be able to end a consent. Users are managed on the hub's machine alone.
ROLES: Mapping[Role, frozenset[May]] = {
    Role.OPERATOR: frozenset({May.SEE_INCIDENTS, May.DECIDE, May.SEE_PLATES, May.SEE_UNITS, May.READ_FEEDS}),
    Role.SUPERVISOR: frozenset(May),
    Role.MAINTAINER: frozenset({May.SEE_INCIDENTS, May.SEE_UNITS, May.READ_FEEDS, May.READ_METRICS, May.MANAGE_FLEET}),
    Role.DATA_PROTECTION_OFFICER: frozenset(
        {May.SEE_INCIDENTS, May.SEE_PLATES, May.SEE_UNITS, May.SEE_ROUTES, May.MANAGE_CONSENT, May.SEE_LOG}
    ),
}

#: What a machine may be given a token for: to read what holds nothing of a person.
MACHINES: frozenset[May] = frozenset({May.SEE_INCIDENTS, May.SEE_UNITS, May.READ_FEEDS, May.READ_METRICS})
