"""Why a person may decide so."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from parvis_contract import Verdict


class DecisionReason(StrEnum):
    """Why a person decided so: a closed list, so that reasons can be counted, explained and translated."""

    SEEN_ON_SITE = "seen_on_site"
    SEEN_BY_OPERATOR = "seen_by_operator"
    REPORTED_BY_PHONE = "reported_by_phone"
    FALSE_ALARM = "false_alarm"
    TEST = "test"
    KNOWN_ACTIVITY = "known_activity"
    DUPLICATE = "duplicate"
    NOT_RELEVANT = "not_relevant"
    MISTAKEN_DECISION = "mistaken_decision"
    NEW_INFORMATION = "new_information"


#: The reasons that a verdict may have. `unconfirmed` takes an earlier verdict back.
REASONS: Mapping[Verdict, tuple[DecisionReason, ...]] = {
    Verdict.CONFIRMED: (DecisionReason.SEEN_ON_SITE, DecisionReason.SEEN_BY_OPERATOR, DecisionReason.REPORTED_BY_PHONE),
    Verdict.DISMISSED: (
        DecisionReason.FALSE_ALARM,
        DecisionReason.TEST,
        DecisionReason.KNOWN_ACTIVITY,
        DecisionReason.DUPLICATE,
        DecisionReason.NOT_RELEVANT,
    ),
    Verdict.UNCONFIRMED: (DecisionReason.MISTAKEN_DECISION, DecisionReason.NEW_INFORMATION),
}
