"""How well a text is meant by what somebody has typed of it."""

from dataclasses import dataclass
from itertools import pairwise

WORDS = 100.0
"""Score from which on whole words were found, and not their letters one by one."""


@dataclass(frozen=True)
class Match:
    """How a text is meant.

    Attributes:
        score: Higher is better; only scores of the same query compare.
        positions: Places of the letters in the text that were typed, rising.
    """

    score: float
    positions: tuple[int, ...]


def match(query: str, text: str) -> Match | None:
    """Find what was typed in a text: as it stands, else word by word in any order, else letter by letter.

    Args:
        query: What was typed; case and spaces at the ends do not matter.
        text: The text.

    Returns:
        Places and score; None where some letter of the query is not found. An empty query is meant by every text alike.
    """
    wanted, held = query.casefold().split(), text.casefold()
    if len(held) != len(text):  # a letter that grows when its case is folded would shift the places behind it
        held = text.lower() if len(text.lower()) == len(text) else text
    if not wanted:
        return Match(0.0, ())
    whole = _part(" ".join(wanted), held)
    if whole is not None:
        return Match(2 * WORDS + whole.score, whole.positions)
    parts = [_part(word, held) for word in wanted]
    if len(wanted) > 1 and all(parts):
        found = [part for part in parts if part is not None]
        places = sorted({place for part in found for place in part.positions})
        return Match(WORDS + sum(part.score for part in found) / len(found), tuple(places))
    return _scattered("".join(wanted), held)


def _part(word: str, held: str) -> Match | None:
    """The word in one piece, best at the beginning of the text, else of a word."""
    best: Match | None = None
    at = held.find(word)
    while at >= 0:
        begins = at == 0 or not held[at - 1].isalnum()
        score = (60.0 if at == 0 else 40.0 if begins else 0.0) - 0.1 * at - 0.05 * (len(held) - len(word))
        if best is None or score > best.score:
            best = Match(score, tuple(range(at, at + len(word))))
        at = held.find(word, at + 1)
    return best


def _scattered(letters: str, held: str) -> Match | None:
    """The letters in their order, those at the beginnings of words preferred."""
    places: list[int] = []
    at = 0
    for letter in letters:
        first = held.find(letter, at)
        if first < 0:
            return None
        begin = first
        while begin > 0 and held[begin - 1].isalnum() and not (places and begin == places[-1] + 1):
            begin = held.find(letter, begin + 1)
            if begin < 0 or not _rest_fits(letters[len(places) + 1 :], held, begin + 1):
                begin = first
                break
        places.append(begin)
        at = begin + 1
    gaps = sum(after - before - 1 for before, after in pairwise(places))
    begins = sum(place == 0 or not held[place - 1].isalnum() for place in places)
    return Match(10.0 * begins - gaps - 0.1 * places[0] - 0.05 * len(held), tuple(places))


def _rest_fits(letters: str, held: str, at: int) -> bool:
    for letter in letters:
        at = held.find(letter, at) + 1
        if at == 0:
            return False
    return True
