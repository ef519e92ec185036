"""Who may come in at the console: users with their passwords, sessions, and tokens for machines."""

from .limits import Attempts
from .sessions import IDLE_S, LONGEST_S, Session, Sessions, TooManyAttempts, WrongCredentials
from .tokens import Token, Tokens
from .users import MIN_PASSWORD, BadAccount, NameTaken, User, Users

__all__ = [
    "IDLE_S",
    "LONGEST_S",
    "MIN_PASSWORD",
    "Attempts",
    "BadAccount",
    "NameTaken",
    "Session",
    "Sessions",
    "Token",
    "Tokens",
    "TooManyAttempts",
    "User",
    "Users",
    "WrongCredentials",
]
