"""Countries as people write them: codes and names in the languages of the contacts."""

from __future__ import annotations

from functools import cache, lru_cache

from babel import Locale

# Languages whose country names are understood. Names come from CLDR, through Babel.
LANGUAGES = (
    "en", "zh", "es", "de", "fr", "pt", "it", "ja", "nl", "pl", "ru", "tr", "ar", "bn", "ko", "sv", "da", "nb", "fi", "cs", "uk", "vi", "id", "hi",
)  # fmt: skip
# What people write that CLDR does not list.
_OTHER_NAMES = {
    "usa": "US", "u.s.": "US", "u.s.a.": "US", "united states of america": "US", "america": "US", "uk": "GB", "u.k.": "GB",
    "england": "GB", "scotland": "GB", "wales": "GB", "northern ireland": "GB", "great britain": "GB", "britain": "GB",
    "prc": "CN", "p.r. china": "CN", "mainland china": "CN", "中国大陆": "CN", "brasil": "BR", "méxico": "MX", "holland": "NL",
    "korea": "KR", "south korea": "KR", "uae": "AE", "russia": "RU", "viet nam": "VN", "türkiye": "TR", "hong kong": "HK",
    "macau": "MO", "taiwan": "TW", "czech republic": "CZ", "ivory coast": "CI",
}  # fmt: skip


@cache
def _names(language: str) -> dict[str, str]:
    names: dict[str, str] = {}
    for code in _codes():
        name = Locale(language).territories.get(code)
        if name:
            names.setdefault(str(name).casefold(), code)
    return names


def _named(text: str) -> str | None:
    """The code of a name. A language is read when those before it do not know the name: most lists need one, and all of them take 0.2 s."""
    if text in _OTHER_NAMES:
        return _OTHER_NAMES[text]
    return next((code for language in LANGUAGES if (code := _names(language).get(text))), None)


@cache
def _codes() -> frozenset[str]:
    return frozenset(code for code in map(str, Locale("en").territories) if len(code) == 2 and code.isalpha())


@lru_cache(maxsize=65_536)
def region_of(text: str | None) -> str | None:
    """The ISO 3166 code of a country written as a code or a name, or None where it is not understood.

    A two-letter code wins over a name: "NA" is Namibia, never missing.
    """
    if not text:
        return None
    plain = " ".join(text.split())
    upper = plain.upper()
    if len(upper) == 2 and upper in _codes():
        return {"UK": "GB"}.get(upper, upper)
    return _named(plain.casefold())
