"""What each sense of a unit finds, misses and makes up: per type of event, by light and weather, on what, with its intervals."""
