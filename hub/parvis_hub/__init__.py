"""The hub: receives, correlates, keeps and shows; a person decides."""
