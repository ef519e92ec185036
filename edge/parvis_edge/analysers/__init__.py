"""Judging: one pure analyser per event type, and per sense the assembly that feeds them."""
