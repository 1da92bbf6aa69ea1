"""The vocabulary: texts as weighted words."""

from __future__ import annotations

import re
from collections import Counter

from .weights import KIND_WEIGHT, Words

_TOKEN = re.compile(r"[^\W_]+", re.UNICODE)

_STOP_WORDS = """
    a an and are as at be been but by can could did do does for from had has have he her here his i if in into
    is it its me my no not of off on or our out over she so some someone something than that the their them then
    there these they this those to too under up us very was we were what when where which who whose why will with
    would you your show find me any one please containing contains shows showing full mostly entirely"""
_STOP = frozenset(_STOP_WORDS.split())

# The word that describes media -> its synonyms in queries (singular).
_SYNONYMS: dict[str, str] = {
    synonym: word
    for word, synonyms in {
        "image": "picture photo photograph img pic snapshot drawing painting illustration",
        "audio": "sound tone song music noise tune melody hum beep",
        "video": "film movie clip footage",
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
    for synonym in synonyms.split()
}

_KINDS = {"image", "audio", "video", "document"}
#: Prefix of the word that distinguishes texts with the same words in another order.
WORDING = "~wording:"
_WORDING_WEIGHT = 0.05


def text_words(text: str) -> Words:
    """Return the weighted words of a text; never empty, in any script."""
    tokens = _TOKEN.findall(text.casefold())
    counts = Counter(_canonical(token) for token in tokens if token not in _STOP)
    words = {word: (KIND_WEIGHT if word in _KINDS else 1.0) * count**0.5 for word, count in counts.items()}
    if not words:
        words = {f"~raw:{token}": 1.0 for token in tokens or (text.strip() or "~blank")}
    words[WORDING + " ".join(text.split())] = _WORDING_WEIGHT
    return words


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
