"""Receives: from the broker through the gate to one batch for the store; nothing is acknowledged that is not kept."""

from .broker import Broker, BrokerAddress, Delivery, TlsFiles
from .clock import EventClock, SteadyClock
from .gate import Gate
from .intake import Intake
from .session import session_name

__all__ = ["Broker", "BrokerAddress", "Delivery", "EventClock", "Gate", "Intake", "SteadyClock", "TlsFiles", "session_name"]
