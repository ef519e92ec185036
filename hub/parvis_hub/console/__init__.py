"""The console: the page on which a person in a control room sees what units report, and decides."""

from .app import create_app
from .cards import Cards, load_cards, zoo_folder

__all__ = ["Cards", "create_app", "load_cards", "zoo_folder"]
