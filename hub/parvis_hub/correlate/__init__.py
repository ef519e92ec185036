"""Makes incidents of events: pure, in event time, the same for the same messages in whatever order they come."""

from .clocks import whole_hours_us
from .correlator import Correlator
from .lateness import Lateness, lateness_s
from .outcome import Change, incident_message, incident_text

__all__ = ["Change", "Correlator", "Lateness", "incident_message", "incident_text", "lateness_s", "whole_hours_us"]
