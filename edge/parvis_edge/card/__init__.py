"""A flashed card from within: its two root slots and their tries, a new root, whether this one is good, and whom the card may reach."""
