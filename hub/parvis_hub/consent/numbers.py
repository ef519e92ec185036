"""Numbers in words, 0 to 999: what is read aloud or by telephone is not mistaken for another."""

from __future__ import annotations

_ENGLISH = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen "
    "twenty thirty forty fifty sixty seventy eighty ninety"
)
_FRENCH = "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept dix-huit dix-neuf"
_EN, _FR = _ENGLISH.split(), _FRENCH.split()
_FR_TENS = {2: "vingt", 3: "trente", 4: "quarante", 5: "cinquante", 6: "soixante", 7: "soixante", 8: "quatre-vingt", 9: "quatre-vingt"}


def in_english(number: int) -> str:
    """``17`` → ``seventeen``."""
    hundreds, rest = divmod(number, 100)
    if hundreds:
        return f"{_EN[hundreds]} hundred" + (f" and {in_english(rest)}" if rest else "")
    if rest < 20:
        return _EN[rest]
    tens, ones = divmod(rest, 10)
    return _EN[18 + tens] + (f"-{_EN[ones]}" if ones else "")


def in_french(number: int) -> str:
    """``271`` → ``deux-cent-soixante-et-onze``, in the spelling of 1990."""
    hundreds, rest = divmod(number, 100)
    if hundreds:
        many = "cent" if hundreds == 1 else f"{_FR[hundreds]}-cent" + ("s" if not rest else "")
        return many + (f"-{in_french(rest)}" if rest else "")
    if rest < 20:
        return _FR[rest]
    if rest == 80:
        return "quatre-vingts"
    tens = rest // 10
    # Seventy and ninety count on from sixty and eighty.
    ones = rest - (tens - tens % 2 if tens > 6 else tens) * 10
    if not ones:
        return _FR_TENS[tens]
    return f"{_FR_TENS[tens]}-{'et-' if ones in (1, 11) and tens < 8 else ''}{_FR[ones]}"
