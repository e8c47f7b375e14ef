"""Words in the place of words: of the same length, of the same kinds of characters, and others.

A word is a run of letters and digits; equal words (without case and accents, as Vtiger compares)
get equal pseudonyms, different ones different pseudonyms as far as there are enough of that length.
No character of a pseudonym is the one that stood there. They are drawn with a key that is forgotten
with the object, so nothing leads back.
"""

from __future__ import annotations

import hashlib
import html
import re
import secrets
import unicodedata
from html.entities import codepoint2name

from vtiger_async.recording.words import TAGS

__all__ = ["Pseudonyms"]

_WORD = re.compile(r"[^\W_]+")
_ENTITY = re.compile(r"&(?:#\d+|#x[0-9A-Fa-f]+|[A-Za-z]+\d*);")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_DIGITS = "0123456789"
_CYRILLIC = "абвгдежзийклмнопрстуфхцчшщъыьэюя"
_TRIES = 40
"""Pseudonyms that are tried before one that another word has is taken."""
_KEPT = frozenset({"http", "https", "mailto", "www"})


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if not unicodedata.combining(c))


class Pseudonyms:
    """The pseudonyms of one recording.

    Args:
        starts: Beginnings of words that statements ask for (`LIKE 'Sm%'`): words that begin so get
            pseudonyms that begin alike, and the statement still finds them.

    Attributes:
        words: The words that were replaced, folded, with their pseudonyms.
    """

    def __init__(self, starts: frozenset[str] = frozenset()) -> None:
        self._key = secrets.token_bytes(32)
        self._starts = sorted({_folded(start) for start in starts}, key=len, reverse=True)
        self._owners: dict[str, str] = {}
        self.words: dict[str, str] = {}

    def text(self, text: str) -> str:
        """Return a text with every word replaced; what stands between the words is kept.

        HTML entities stay such where the text has them, as a record's label does.
        """
        if _ENTITY.search(text) is None:
            return _WORD.sub(lambda found: self._in_place(found, text), text)
        plain = html.unescape(text)
        replaced = _WORD.sub(lambda found: self._in_place(found, plain), plain)
        return _escaped(replaced, names=any(c.isalpha() for c in _decoded(text)))

    def _in_place(self, found: re.Match[str], text: str) -> str:
        word = found[0]
        before = text[max(0, found.start() - 2) : found.start()]
        if word in _KEPT or (before.endswith(("<", "</")) and word.lower() in TAGS):
            return word
        return self.word(word)

    def known(self, text: str, unless: frozenset[str]) -> str:
        """Return a text in which only the words are replaced that were replaced before.

        Args:
            text: The text, as a message of the server.
            unless: Words, folded, that stay.
        """

        def replaced(found: re.Match[str]) -> str:
            folded = _folded(found[0])
            # One or two characters say nothing of anybody, and much of a line and a column.
            keep = len(folded) < 3 or folded in unless or folded not in self.words
            return found[0] if keep else self.word(found[0])

        return _WORD.sub(replaced, text)

    def word(self, word: str) -> str:
        """Return the pseudonym of one word, in the case of its letters."""
        folded = _folded(word)
        drawn = self._drawn(word, folded, 0)
        for attempt in range(1, _TRIES):
            if self._owners.setdefault(_folded(drawn), folded) == folded:
                break
            drawn = self._drawn(word, folded, attempt)
        self.words[folded] = drawn
        return drawn

    def _drawn(self, word: str, folded: str, attempt: int) -> str:
        start = next((s for s in self._starts if s != folded and folded.startswith(s)), "")
        head = self.word(word[: len(start)]) if start and len(folded) == len(word) else ""
        stream = hashlib.shake_256(self._key + f"{attempt}:{folded}".encode()).digest(4 * len(word))
        drawn = [_other(c, int.from_bytes(stream[4 * i : 4 * i + 4])) for i, c in enumerate(word)]
        return head + "".join(drawn[len(head) :])


def _other(character: str, number: int) -> str:
    """Return another character of the same kind."""
    if character in _DIGITS:
        return _DIGITS[(int(character) + 1 + number % 9) % 10]
    lower = character.lower()
    for letters in (_LETTERS, _CYRILLIC):
        if lower in letters:
            place = letters.index(lower) + 1 + number % (len(letters) - 1)
            other = letters[place % len(letters)]
            return other if character == lower else other.upper()
    if not character.isalpha():
        return _DIGITS[number % 10]
    parts = unicodedata.normalize("NFD", character)
    if len(parts) > 1 and parts[0].lower() in _LETTERS:
        composed = unicodedata.normalize("NFC", _other(parts[0], number) + parts[1:])
        return composed if len(composed) == 1 else ("ø" if character == lower else "Ø")
    if ord(character) > 0xFFFF:
        return chr(0x1D41A + number % 26)
    if ord(character) >= 0x2E80:
        return chr(0x4E00 + number % 0x5000)
    return "ø" if character == lower else "Ø"


def _decoded(text: str) -> str:
    """Return the characters that stand as entities in a text."""
    return "".join(html.unescape(found[0]) for found in _ENTITY.finditer(text))


def _escaped(text: str, *, names: bool) -> str:
    """Return the text with entities as Vtiger writes them, for letters too where it did so."""
    escaped = html.escape(text).replace("&#x27;", "&#039;")
    if not names:
        return escaped
    return "".join(
        f"&{codepoint2name[ord(c)]};" if ord(c) > 127 and ord(c) in codepoint2name else c
        for c in escaped
    )
