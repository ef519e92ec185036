"""What the hub keeps, each row with its expiry, and the desk from which a console reads and decides."""

from parvis_hub.governance import REASONS, DecisionReason

from .alerts import Alert, AlertKind, AlertStore
from .commands import Command, CommandStore, NotIssued, follow_register, issue_allowlist
from .consents import ConsentStore, Enrolment, NotEnrolled, Receipt, UnknownParticipant
from .database import Database, StoreError, default_url, open_existing
from .desk import BadDecision, Desk, UnknownIncident
from .notices import Notice, Notices, Subscription
from .outcomes import Outcome
from .past import Past, TooMuch
from .records import Arrived, Batch, Restart, Seen
from .store import Store
from .views import Counters, Decision, IncidentDetail, IncidentRow, UnitView, Where, WrongClock

__all__ = [
    "REASONS",
    "Alert",
    "AlertKind",
    "AlertStore",
    "Arrived",
    "BadDecision",
    "Batch",
    "Command",
    "CommandStore",
    "ConsentStore",
    "Counters",
    "Database",
    "Decision",
    "DecisionReason",
    "Desk",
    "Enrolment",
    "IncidentDetail",
    "IncidentRow",
    "NotEnrolled",
    "NotIssued",
    "Notice",
    "Notices",
    "Outcome",
    "Past",
    "Receipt",
    "Restart",
    "Seen",
    "Store",
    "StoreError",
    "Subscription",
    "TooMuch",
    "UnitView",
    "UnknownIncident",
    "UnknownParticipant",
    "Where",
    "WrongClock",
    "default_url",
    "follow_register",
    "issue_allowlist",
    "open_existing",
]
