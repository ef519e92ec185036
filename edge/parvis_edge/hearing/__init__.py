"""Hearing: from sound to features, scores, onsets and levels; in memory, and forgotten at once."""
