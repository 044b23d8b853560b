"""Names of lead sources as people may see them and as programs may use them: whatever a CRM holds, nothing gets out that could break a page or a path."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from ringtrue.masking import mask_email, mask_number

OTHER: Final = "other"
"""The source of everything no rule names. Reserved: it cannot be configured."""

VALUE_LIMIT: Final = 1_000
"""Characters of a raw value that rules look at. A longer value is matched by its beginning."""
LABEL_LIMIT: Final = 80


_SPACES = re.compile(r"\s+")
_NOT_SLUG = re.compile(r"[^a-z0-9]+")
_DIGITS = re.compile(r"\+?\d(?:[\s().\-/_]{0,2}\d){6,}")
_DATE_LIKE = re.compile(
    r"(?:19|20)\d\d[\s./_-]?(?:0[1-9]|1[0-2])(?:[\s./_-]?(?:0[1-9]|[12]\d|3[01]))?(?:[\s./_T-]?[0-2]\d[.:_-]?[0-5]\d(?:[.:_-]?[0-5]\d)?)?"
    r"|(?:0?[1-9]|[12]\d|3[01])[./-](?:0?[1-9]|1[0-2])[./-](?:19|20)\d\d"
)
_EMAIL = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+\.[A-Za-z]{2,}")


def slugify(text: str, taken: Iterable[str] = ()) -> str:
    """A safe name for a source: [a-z0-9_], a letter first, at most 60 characters, different from those taken.

    Text that does not survive the conversion (another script, only signs) gets a name made from its hash, so that the same text always has the same name.
    """
    plain = unicodedata.normalize("NFKD", text[:VALUE_LIMIT]).encode("ascii", "ignore").decode("ascii").lower()
    slug = _NOT_SLUG.sub("_", plain).strip("_")
    mark = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    letters = sum(character.isalnum() for character in text[:VALUE_LIMIT])
    kept = sum(character.isalnum() for character in slug)
    if not slug or kept * 2 < letters:
        slug = f"source_{mark}"
    elif not slug[0].isalpha():
        slug = f"s_{slug}"
    slug = slug[:60].strip("_")
    taken = {OTHER, *taken}
    free, tries = slug, 0
    while free in taken:
        free, tries = f"{slug[:48].strip('_')}_{mark}{tries or ''}", tries + 1
    return free


def display(text: str | None, limit: int = LABEL_LIMIT) -> str:
    """A raw source name as it may be shown: one line, no control or direction marks, shortened, numbers and e-mail addresses masked.

    The result is plain text: whoever puts it into HTML or Markdown escapes it (`markdown`).
    """
    if text is None:
        return "(no source)"
    cleaned = clean(text[: VALUE_LIMIT * 2])
    cleaned = _EMAIL.sub(lambda match: mask_email(match.group()), cleaned)
    cleaned = _DIGITS.sub(
        lambda match: match.group() if _is_date(match.group()) else mask_number(match.group()), cleaned
    )
    if not cleaned:
        return "(no source)"
    return cleaned if len(cleaned) <= limit else cleaned[: limit - 1].rstrip() + "…"


def markdown(text: str) -> str:
    """Plain text escaped for Markdown, tables included."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]()#+!|~$-])", r"\\\1", escaped)


def clean(text: str) -> str:
    """Unicode in one form, control, format and lone surrogate characters away, white space collapsed."""
    kept = "".join(
        " " if character.isspace() else character
        for character in unicodedata.normalize("NFKC", text)
        if character.isspace() or unicodedata.category(character)[0] != "C"
    )
    return _SPACES.sub(" ", kept).strip()


def comparable(text: str) -> str:
    """The form in which names are compared: cleaned, letter case folded, the first 1,000 characters only."""
    return clean(text[:VALUE_LIMIT]).casefold()


def _is_date(digits: str) -> bool:
    return _DATE_LIKE.fullmatch(digits.strip()) is not None
