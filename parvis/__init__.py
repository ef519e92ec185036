"""The workspace's own command: the demonstration."""
