"""What a person would read in a damaged field, as far as the text tells: which digits belong to a number, which to an extension.

Nearly all fields of a list share a few shapes: the text with its digits left blank. The work is done once for a shape and kept; the result
says which digits of the field make up each number. Where the digits themselves decide (a date, a spreadsheet's exponent), the field is
looked at alone.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from functools import cache, lru_cache
from importlib.resources import files
from itertools import pairwise
from typing import Final, NamedTuple
from urllib.parse import unquote

FIRST: Final = 0xE000
"""Digit i of a shape stands as this code point plus i: text operations carry it along like a letter."""

POINT: Final = "\x1a"
"""Stands for the point of `.0` or `,0` at the end of a shape: what a spreadsheet or a program adds to a whole number."""
_POINT: Final = "\ue400"

_D: Final = "[0-9\ue000-\ue3ff]"
_EXTENSION, _OTHER, _WORD, _LABEL, _TIME = "\x01", "\x02", "\x03", "\x04", "\x05"
_LEAST: Final = 5
"""Digits that a number has at least; what is shorter is an extension, a house number, a time."""
_VANITY: Final = 7
"""Letters that stand for a whole North American number after its toll-free code; more are there to be read, not dialled."""
_SHORTEST_WHOLE: Final = 8
"""Digits before an exponent from which on they can be a whole number."""
_PAIR, _LONGEST = 14, 17
"""Digits that two numbers have together at least, and that one number has at most."""
_ENOUGH: Final = 9
"""Digits that make a whole number, with its area code."""
_CALLING_CODE: Final = 4
"""Characters of a calling code at most, with its plus."""
_AREA_CODE: Final = 5
"""Digits of an area code at most, with the zero before it."""
_MARKS: Final = 1024
"""Digits that a shape can tell apart; a field with more of them holds no number a person could read."""
_WHOLE: Final = 6
"""Digits on both sides from which on a slash parts two numbers."""


class Piece(NamedTuple):
    """One number of a field. In `text` and `extension` digit i of the field stands as the code point FIRST + i."""

    text: str
    extension: str
    reason: str
    first_group: int
    """Digits before the first mark or space: a country code often stands alone."""
    alternative: str
    """Another way to read it, or empty: without the digit in brackets, or with the beginning of the number before it."""
    bracketed: str
    """The digit in brackets, or empty."""
    like_date: bool = False
    """The field has the form of a date; its digits have to tell."""


class Plan(NamedTuple):
    """How to read a field: its numbers, or why it has none."""

    pieces: tuple[Piece, ...]
    verdict: str


class DigitsNeeded(Exception):
    """The shape alone does not tell."""


@cache
def _words() -> dict[str, str]:
    data = tomllib.loads(files("ringtrue").joinpath("data/numbers/words.toml").read_text(encoding="utf-8"))
    marks = {"months": "month", "labels": _LABEL, "separators": _OTHER, "extensions": _EXTENSION, "times": _TIME}
    return {word.casefold(): mark for kind, mark in marks.items() for word in data[kind].split()}


@cache
def _placeholders() -> frozenset[str]:
    data = tomllib.loads(files("ringtrue").joinpath("data/numbers/words.toml").read_text(encoding="utf-8"))
    return frozenset(word.casefold() for word in data["placeholders"].split())


@cache
def postcodes() -> dict[str, str]:
    """Region code -> how postcodes are written there, for forms that no number has."""
    data = tomllib.loads(files("ringtrue").joinpath("data/numbers/words.toml").read_text(encoding="utf-8"))
    return dict(data["postcodes"])


@cache
def postcode_patterns() -> tuple[str, ...]:
    """The distinct patterns of postcodes."""
    return tuple(sorted(set(postcodes().values())))


@cache
def _compiled_postcodes() -> list[re.Pattern[str]]:
    return [re.compile(rf"[\t\n\f\r ]*(?:{pattern})[\t\n\f\r ]*", re.ASCII) for pattern in postcode_patterns()]


def postcodes_like(text: str) -> int:
    """Bit i is set where pattern i of postcodes fits the whole text. No pattern asks for a certain digit, so a shape will do."""
    return sum(1 << at for at, pattern in enumerate(_compiled_postcodes()) if pattern.fullmatch(text))


@lru_cache(maxsize=1 << 16)
def plan(field: str, *, exact: bool) -> Plan:
    """Read a field, or with `exact` false a shape, in which every ASCII digit is written as 0 and the point before a last 0 as POINT.

    Raises DigitsNeeded for a shape whose digits decide.
    """
    if len(re.findall("[0-9]", field)) > _MARKS:
        return Plan((), "too_long")
    text = re.sub("[\ue000-\uf8ff]", " ", field)
    text = re.sub(r"[.,](?=0$)" if exact else POINT, _POINT, text)
    if not exact:
        places = iter(range(FIRST, FIRST + _MARKS))
        text = re.sub("[0-9]", lambda _: chr(next(places)), text)
    return _read(text, exact=exact)


def _read(text: str, *, exact: bool) -> Plan:
    plain = _plain(text)
    if not plain.strip():
        return Plan((), "placeholder" if re.search(r"[^\s\W]|[~*=·•]", text) else "empty")
    if re.fullmatch(rf"\s*'?{_D}+([.,]{_D}+)?[eE]\+?{_D}+\s*", plain):
        return _scientific(plain, exact=exact)
    if re.search(r"%" + _D, plain):
        _need(exact)
        plain = _plain(unquote(plain))
    reason = "odd_characters"
    whole = re.fullmatch(rf"\s*'?(\+?{_D}{{7,15}}){_POINT}{_D}\s*", plain)
    if whole:
        plain, reason = whole[1], "excel_decimal"
    plain = plain.replace(_POINT, ".")
    plain, linked = _unlink(plain)
    reason = "link" if linked else reason
    if re.search(r"[^\s@<>,;]+@[^\s@<>,;]+\.\w+", plain):
        plain = re.sub(r"[^\s@<>,;]+@[^\s@<>,;]+\.\w+", _WORD, plain)
        if not re.search(_D, plain):
            return Plan((), "is_email")
    vanity = re.search(rf"(?<![\w+])((?:\+?{_D}[\s.-]*)?\(?({_D}{{3}})\)?[\s.-]*)([A-Z][A-Z-]{{5,}}[A-Z])\b", plain)
    if vanity and len(vanity[3].replace("-", "")) >= _VANITY:
        _need(exact)
        if vanity[2].startswith("8"):
            plain, reason = vanity[1] + _keypad(vanity[3].replace("-", ""))[:_VANITY], "label"
    if (
        re.sub(r"[\s.:()\[\]#!-]+", "", plain).casefold() in _placeholders()
        or plain.strip().casefold() in _placeholders()
    ):
        return Plan((), "placeholder")
    timeless = _without_times(plain)
    marked, words = _mark_words(timeless)
    if not re.search(_D, marked):
        return Plan((), _nothing(words))
    if "month" in words and len(re.findall(_D, marked)) <= 8:
        return Plan((), "is_date")
    if reason == "odd_characters" and (words or timeless != plain):
        reason = "label"
    pieces = _pieces(marked, reason)
    if len(pieces) == 1 and _LIKE_DATE.match(plain):
        pieces = (pieces[0]._replace(like_date=True),)
    if not pieces and any(word in _placeholders() for word in re.findall(r"[^\W\d_]+", plain.casefold())):
        return Plan((), "placeholder")
    if not pieces:
        return Plan((), "is_name" if _WORD in marked and len(re.findall(_D, marked)) < _LEAST else "too_short")
    return Plan(pieces, "")


def _need(exact: bool) -> None:
    if not exact:
        raise DigitsNeeded


def _plain(text: str) -> str:
    """Full width to ASCII, every script's digits to 0-9, invisible marks away, all dashes one dash, all spaces one space."""
    out = []
    for char in text:
        kind = unicodedata.category(char)
        if kind == "Nd" and not "0" <= char <= "9":
            out.append(str(unicodedata.digit(char)))
        elif char in "\n\r\v\f\u2028\u2029\u0085":
            out.append("\n")
        elif kind == "Zs" or char in "\t_~·•∙‧・⋅●▪∼〜～=*":
            out.append(" ")
        elif kind == "Pd" or char in "\u2212ー":
            out.append("-")
        elif kind not in ("Cf", "Cc", "Mn", "Me", "Cs", "No"):
            out.append(char if kind == "Co" else unicodedata.normalize("NFKC", char))
    return unicodedata.normalize("NFC", "".join(out))


def _scientific(text: str, *, exact: bool) -> Plan:
    """A spreadsheet's exponent: the number itself if all its digits are there, which is rare."""
    if len(re.findall(_D, re.split("[eE]", text)[0])) < _SHORTEST_WHOLE:
        return Plan((), "excel_rounded")
    _need(exact)
    parts = re.fullmatch(r"\s*'?(\d+)(?:[.,](\d+))?[eE]\+?(\d+)\s*", text)
    if parts is None:
        return Plan((), "excel_rounded")
    whole, decimals, exponent = parts[1], parts[2] or "", int(parts[3])
    if not 6 <= exponent <= 17 or len(decimals) < exponent:
        return Plan((), "excel_rounded")
    return Plan((Piece(whole + decimals[:exponent], "", "excel_decimal", 0, "", ""),), "")


_LIKE_DATE: Final = re.compile(rf"\s*{_D}{{1,4}}([-/.])\s?{_D}{{1,2}}\1\s?{_D}{{2,4}}(?!{_D})")
_DATE: Final = re.compile(r"\s*(\d{1,4})([-/.])\s?(\d{1,2})\2\s?(\d{2,4})(?:[ T]+\d{1,2}:\d{2}.*)?\s*", re.ASCII)


def is_date(text: str) -> bool:
    """Whether the field is written as a date is, and its digits make one."""
    found = _DATE.fullmatch(text)
    if found is None:
        return False
    numbers = [int(found[1]), int(found[3]), int(found[4])]
    year_first, year_last = numbers[0] >= 1900, 1900 <= numbers[2] < 2100 or numbers[2] < 100
    day_month = numbers[1:] if year_first else numbers[:2]
    return (year_first or year_last) and max(day_month) <= 31 and 1 <= min(day_month) <= 12 and numbers[0] < 2100


_CLOCK: Final = rf"{_D}{{1,2}} (?:[:.]{_D}{{2}})?"
_HOURS: Final = re.compile(
    rf"""(?<!{_D}) (?:{_CLOCK} \s* (?:am|pm|uhr|hrs?|h)? \s* (?:-|to|bis|and|und) \s*)? {_CLOCK} \s* (?:am|pm|uhr|hrs?)\b""",
    re.VERBOSE | re.IGNORECASE,
)
"""9am, 5:30 pm, 9-17 Uhr."""
_TIMES: Final = re.compile(
    rf"""(?<!{_D}) (?:
        {_D}{{1,2}} : {_D}{{2}} (?!{_D})                            # 17:30
      | \(\s* {_D}{{1,2}} \s* - \s* {_D}{{1,2}} \s*\)              # (9-5)
      | {_D}{{2}} / {_D} (?=\s|$)                                  # 24/7
      | {_D}{{1,2}} ([/.-]) {_D}{{1,2}} \1 {_D}{{4}} (?!{_D})        # 1/3/2024
      | {_D}{{4}} - {_D}{{2}} - {_D}{{2}} (?!{_D})                    # 2024-03-01
    )""",
    re.VERBOSE,
)


def _without_times(text: str) -> str:
    """Hours and dates beside a number are gone when enough digits stay: any number, beside hours that say what they are."""
    for times, least in ((_HOURS, _LEAST), (_TIMES, _ENOUGH)):
        without = times.sub(_WORD, text)
        if len(re.findall(_D, without)) >= least:
            text = without
    return text


def _keypad(letters: str) -> str:
    return letters.translate(str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "22233344455566677778889999"))


def _unlink(text: str) -> tuple[str, bool]:
    """Links to a call or a chat; a chat link holds the number in international form without its plus."""
    chat = re.search(rf"(?:wa\.me/|[?&]phone=|whatsapp:\S*=)\+?({_D}+)", text, re.IGNORECASE)
    if chat:
        return f"+{chat[1]}", True
    links = r"\b(?:tel|callto|smsto|sms|whatsapp|sips?|skype|facetime):(?://)?(?=[+(0-9\ue000-\ue3ff])"
    unlinked, count = re.subn(links, " ", text, flags=re.IGNORECASE)
    return unlinked, count > 0


def _mark_words(text: str) -> tuple[str, set[str]]:
    """Words become marks: gone, an extension follows, another number follows, or unknown."""
    seen: set[str] = set()

    def mark(found: re.Match[str]) -> str:
        word = found[0].strip(".:").casefold()
        kind = _words().get(word) or _joined(word)
        if kind == "month":
            seen.add("month")
            return _WORD
        seen.add("unknown" if kind in (None, _TIME) else "known")
        return f" {kind or _WORD} "

    return re.sub(r"(?:[^\W\d_\ue000-\ue3ff\x01-\x05]+[.:]?)+", mark, text), seen


def _joined(word: str) -> str | None:
    """A run of listed words written without spaces, as Chinese and Japanese are."""
    if word.isascii():
        parts = [_words().get(part) for part in re.findall(r"[^.:]+", word)]
        return parts[-1] if len(parts) > 1 and all(parts) and "month" not in parts else None
    kind = None
    while word:
        length = next((size for size in range(len(word), 0, -1) if word[:size] in _words()), 0)
        if not length:
            return None
        kind, word = _words()[word[:length]], word[length:].lstrip(".:")
    return None if kind == "month" else kind


def _nothing(words: set[str]) -> str:
    if "unknown" in words or "month" in words:
        return "is_name"
    return "not_a_number" if words else "placeholder"


def _pieces(marked: str, reason: str) -> tuple[Piece, ...]:
    found: list[Piece] = []
    for line in re.split(rf"[\n;|¦{_OTHER}{_WORD}]|(?={_TIME})|(?<={_D})[\s,]*(?=\+)", marked):
        for part, is_tail in _split_pairs(_without_hours(line) if found else line.replace(_TIME, _LABEL)):
            if is_tail:
                tail, whole = "".join(re.findall(_D, part)), found[-1].text
                found.append(Piece(whole[: -len(tail)] + tail, "", "shortened_second_number", 0, "", ""))
            elif pair := _halves(part):
                found += [piece for half in pair if (piece := _piece(half, reason))]
            elif piece := _piece(part, reason):
                found.append(piece)
            elif re.fullmatch(rf"\s*\+{_D}{{1,3}}\s*", part):
                reason = "doubled_country_code"
    for at, (before, piece) in enumerate(pairwise(found), 1):
        missing = len(before.text) - len(piece.text)
        most = _AREA_CODE + (_CALLING_CODE if before.text.startswith("+") else 0)
        if 1 <= missing <= most and not piece.alternative and not piece.text.startswith("+"):
            found[at] = piece._replace(alternative=before.text[:missing] + piece.text)
    if len(found) > 1:
        found = [
            one if one.reason == "shortened_second_number" else one._replace(reason="several_numbers") for one in found
        ]
    return tuple(found)


def _without_hours(line: str) -> str:
    """What follows a number: a few digits right behind a word that speaks of a time are hours or a date."""
    about, *rest = re.split(r"[/,&\\]", line, maxsplit=1)
    if re.match(rf"{_TIME}[\s.:(-]*{_D}", about) and _count(about) < _ENOUGH:
        line = "".join(rest)
    return line.replace(_TIME, _LABEL)


def _split_pairs(line: str) -> list[tuple[str, bool]]:
    """Slashes and commas part two numbers when both sides have digits enough, else groups of one.

    A few digits after a slash behind a whole number are the end of a second one (true in the result); after anything else they belong to
    nothing, as do a few before a whole number.
    """
    out: list[tuple[str, bool]] = []
    parts = re.split(rf"\s*([/,&\\{_LABEL}])\s*|(\s+-\s+)(?=[(+]?{_D})", line)
    for mark, part in zip([None, *parts[1::3]], parts[::3], strict=True):
        digits, before = _count(part), _count(out[-1][0]) if out else 0
        slash = mark in ("/", "\\")
        if not out or not before or (digits >= _WHOLE and before >= _WHOLE):
            out.append((part, False))
        elif not digits or out[-1][1]:
            out[-1] = (f"{out[-1][0]} {part}".rstrip(), out[-1][1])
        elif before >= _ENOUGH:
            if slash and digits < _LEAST and _EXTENSION not in out[-1][0] and re.fullmatch(rf"(?:{_D}|[\s.-])+", part):
                out.append((part, True))
        elif digits >= _ENOUGH and not slash:
            out[-1] = (part, False)
        else:
            out[-1] = (f"{out[-1][0]} {part}", False)
    return out


def _halves(part: str) -> tuple[str, str] | None:
    """Two numbers written alike with only a space between them, or glued together with more digits than a number has."""
    digits = list(re.finditer(_D, part))
    if "+" in part or _EXTENSION in part or len(digits) % 2 or len(digits) < _PAIR:
        return None
    last, first = digits[len(digits) // 2 - 1].end(), digits[len(digits) // 2].start()
    gap, halves = part[last:first], (part[:last].strip(), part[last:].strip())
    if not gap:
        return halves if len(digits) > _LONGEST and not re.search(r"\s", part.strip()) else None
    alike = re.sub(_D, "0", halves[0].lstrip("(")) == re.sub(_D, "0", halves[1].lstrip("("))
    return halves if alike and not gap.strip(" (") else None


def _piece(part: str, reason: str) -> Piece | None:
    extension = ""
    marked = re.search(rf"(?:{_EXTENSION}|#)[\s.:(#{_EXTENSION}-]*({_D}{{1,11}})\W*$", part)
    if marked and _count(part[: marked.start()]) >= _LEAST:
        extension, part, reason = marked[1], part[: marked.start()], "extension_word"
    part = part.replace(_EXTENSION, " ").strip()
    if _count(part) < _LEAST:
        return None
    start = part.index(re.findall(rf"\+|{_D}", part)[0])
    plus = "+" if part[start] == "+" else ""
    first = re.match(rf"[+(\s]*({_D}+)", part[start:])
    bracketed = re.search(rf"\(\s*({_D})\s*\)", part)
    alternative = "".join(re.findall(_D, part[: bracketed.start()] + part[bracketed.end() :])) if bracketed else ""
    return Piece(
        plus + "".join(re.findall(_D, part)),
        extension,
        reason,
        len(first[1]) if first else 0,
        plus + alternative if bracketed else "",
        bracketed[1] if bracketed else "",
    )


def _count(text: str) -> int:
    return len(re.findall(_D, text))
