"""The codes of claims."""

from __future__ import annotations

import secrets

#: Crockford's alphabet: no letter that is read aloud or copied as another.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_GROUPS, _LETTERS = 4, 5


def new_code() -> str:
    """A code of 100 random bits, in groups that can be read aloud."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(_LETTERS)) for _ in range(_GROUPS))


def plain_code(text: str) -> str:
    """A code as typed: small letters, blanks, and the letters O, I and L for the digits that they were."""
    letters = "".join(letter for letter in text.upper() if letter.isalnum())
    return letters.translate(str.maketrans("OIL", "011"))
