"""From the repository to a flashed card: the layout of a card, the image's building, and the command ``parvis-deploy``."""
