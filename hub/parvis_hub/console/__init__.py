"""The console: the page on which a person in a control room sees what units report, and decides."""

from .access import Access, Who, may
from .app import create_app
from .cards import Cards, load_cards, zoo_folder

__all__ = ["Access", "Cards", "Who", "create_app", "load_cards", "may", "zoo_folder"]
