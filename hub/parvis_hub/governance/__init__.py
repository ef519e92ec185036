"""The accountability log: who decided, looked or configured, and what was deleted, in a chain that shows when it has been altered."""

from .chain import LogBroken, append, entries, head, prepare, prune
from .entry import (
    CONSOLE,
    PROGRAMS,
    About,
    BackupMade,
    Entry,
    Head,
    HubStarted,
    LogPruned,
    PlateViewed,
    RowsExpired,
    StoreRestored,
    VerdictGiven,
    What,
    digest_of_configuration,
    sealed,
)
from .reasons import REASONS, DecisionReason
from .schema import log, log_head
from .verify import Broken, Fault, Sound, verify

__all__ = [
    "CONSOLE",
    "PROGRAMS",
    "REASONS",
    "About",
    "BackupMade",
    "Broken",
    "DecisionReason",
    "Entry",
    "Fault",
    "Head",
    "HubStarted",
    "LogBroken",
    "LogPruned",
    "PlateViewed",
    "RowsExpired",
    "Sound",
    "StoreRestored",
    "VerdictGiven",
    "What",
    "append",
    "digest_of_configuration",
    "entries",
    "head",
    "log",
    "log_head",
    "prepare",
    "prune",
    "sealed",
    "verify",
]
