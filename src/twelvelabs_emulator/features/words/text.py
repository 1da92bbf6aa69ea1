"""Texts as weighted words: the one vocabulary that texts and measured media share.

A word that starts with ``~`` is a private one, which no text can say: it tells one measured thing from
another of the same description.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

__all__ = ["WORDING", "Words", "merged", "of_text", "scaled"]

Words = dict[str, float]

_TOKEN = re.compile(r"[^\W_]+", re.UNICODE)

_STOP_WORDS = """
    a an and are as at be been but by can could did do does for from had has have he her here his i if in into
    is it its me my no not of off on or our out over she so some someone something than that the their them then
    there these they this those to too under up us very was we were what when where which who whose why will with
    would you your show find me any one please containing contains shows showing full mostly entirely"""
_STOP = frozenset(_STOP_WORDS.split())

# Left: how people say it (singular). Right: how the measuring side says it.
_SYNONYMS: dict[str, str] = {
    said: meant
    for meant, others in {
        "picture": "photo photograph image img pic snapshot drawing painting illustration",
        "sound": "audio tone song music noise tune melody hum beep",
        "film": "video movie clip footage",
        "document": "pdf",
        "speech": "voice talk talking speaking spoken transcription",
        "red": "crimson scarlet ruby maroon reddish",
        "orange": "tangerine amber orangish",
        "yellow": "gold golden lemon yellowish",
        "green": "lime emerald olive greenish",
        "cyan": "turquoise teal aqua",
        "blue": "navy azure bluish indigo",
        "purple": "violet lilac lavender",
        "magenta": "fuchsia",
        "pink": "pinkish",
        "brown": "chocolate tan",
        "grey": "gray silver greyish grayish",
        "white": "whitish",
        "dark": "dim gloomy night",
        "bright": "light lit luminous",
        "plain": "uniform blank solid flat",
        "stripe": "striped stripy band banded",
        "checked": "check checker checkered chequered checkerboard chessboard",
        "busy": "cluttered detailed noisy",
        "horizontal": "horizontally",
        "vertical": "vertically upright",
        "moving": "motion movement move moved",
        "still": "motionless unmoving stationary frozen",
        "low": "deep bass",
        "high": "shrill treble whistle whistling piercing",
        "middle": "medium mid",
        "loud": "booming deafening",
        "quiet": "soft faint gentle",
        "silent": "silence mute soundless",
        "hiss": "hissing static rustle rushing",
        "beating": "pulsing pulsating throbbing trembling",
        "steady": "constant continuous",
    }.items()
    for said in others.split()
}

# Words about the kind of thing weigh little, so that "a red picture" is first of all red.
_WEIGHTS = {"picture": 0.35, "sound": 0.35, "film": 0.35, "document": 0.35}
# Texts of the same words in another order must not have the very same vector.
WORDING = "~wording:"
_WORDING_WEIGHT = 0.05


def of_text(text: str) -> Words:
    """Return the weighted words of a text; never empty, whatever script the text is in."""
    tokens = _TOKEN.findall(text.casefold())
    counted = Counter(_canonical(token) for token in tokens if token not in _STOP)
    words = {word: _WEIGHTS.get(word, 1.0) * times**0.5 for word, times in counted.items()}
    if not words:
        words = {f"~raw:{token}": 1.0 for token in tokens or (text.strip() or "~blank")}
    words[WORDING + " ".join(text.split())] = _WORDING_WEIGHT
    return words


def merged(bags: Iterable[Words]) -> Words:
    """Return the mean of several bags."""
    total: Words = {}
    number = 0
    for bag in bags:
        number += 1
        for word, weight in bag.items():
            total[word] = total.get(word, 0.0) + weight
    return scaled(total, 1 / number) if number else total


def scaled(bag: Mapping[str, float], factor: float) -> Words:
    """Return the bag with every weight multiplied."""
    return {word: weight * factor for word, weight in bag.items()}


def _canonical(token: str) -> str:
    stem = _stem(token)
    return _SYNONYMS.get(token) or _SYNONYMS.get(stem) or stem


def _stem(token: str) -> str:
    if len(token) <= 3 or not token.endswith("s") or token.endswith(("ss", "us", "is")):
        return token
    if token.endswith("ies") and len(token) > 4:
        return token[:-3] + "y"
    if token.endswith(("sses", "xes", "zes", "ches", "shes")):
        return token[:-2]
    return token[:-1]
