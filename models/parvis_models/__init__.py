"""From a pinned public source to a quantised, measured model with a card."""
