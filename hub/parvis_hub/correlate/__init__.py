"""Makes incidents of events: pure, in event time, the same for the same messages in whatever order they come."""

from .outcome import Change, incident_message

__all__ = ["Change", "incident_message"]
