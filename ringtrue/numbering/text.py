"""Characters as phonenumbers sees them: classes of code points that no pattern of its text level tells apart."""

from __future__ import annotations

import re
import sys
import unicodedata
from typing import Final

import numpy as np
from phonenumbers import phonenumberutil as lib

from ringtrue.numbering.automata import Symbols, TextTable
from ringtrue.numbering.regex import Nfa, UnsupportedPatternError, runs

START: Final = 1
"""May begin a number."""
END: Final = 2
"""Dropped from the end."""
PLUS: Final = 4
SLASH: Final = 8
"""Begins a second number when spaces and an x follow."""
SPACE: Final = 16
LOWER_X: Final = 32
LETTER: Final = 64
"""Counts towards the three letters of a vanity number."""
SEMICOLON: Final = 128
"""May begin an RFC 3966 parameter."""
BLANK: Final = 256
"""Nothing to see: white space and format characters."""

NO_DIGIT: Final = 255

FAST_DIGIT: Final = 1
FAST_PLUS: Final = 2
FAST_OTHER: Final = 4
"""Flags of the ASCII scan; a text with a byte of FAST_OTHER goes through the text automata."""


class TextTables:
    """Classes of characters, and the automata for `a viable number` and `an extension at the end`."""

    def __init__(self) -> None:
        everything = "".join(map(chr, range(sys.maxunicode + 1)))
        viable, extension = Nfa(), Nfa()
        viable_start = viable.add(lib._VALID_PHONE_NUMBER_PATTERN.pattern, "viable", lib._REGEX_FLAGS)
        extension_start = extension.add(lib._EXTN_PATTERNS_FOR_PARSING, "extension", lib._REGEX_FLAGS)
        atoms = sorted(viable.atoms() | extension.atoms())
        flags = {
            START: (lib._VALID_START_CHAR, 0),
            END: (_end_character(), 0),
            PLUS: (f"[{lib._PLUS_CHARS}]", 0),
            SLASH: (r"[\\/]", 0),
            SPACE: (" ", 0),
            LOWER_X: ("x", 0),
            LETTER: ("[A-Za-z]", 0),
            SEMICOLON: (";", 0),
        }
        signature = np.zeros((len(atoms) + len(flags) + 3, len(everything)), np.uint8)
        for at, (atom, options) in enumerate([*((atom, lib._REGEX_FLAGS) for atom in atoms), *flags.values()]):
            for begin, end in runs(atom, options, everything):
                signature[at, begin:end] = 1
        in_number = signature[: len(atoms)].any(axis=0)
        for code in np.flatnonzero(in_number).tolist():
            signature[-3, code] = unicodedata.digit(chr(code), NO_DIGIT)
            signature[-2, code] = int(lib._ALPHA_PHONE_MAPPINGS.get(chr(code).upper(), NO_DIGIT))
        signature[-3:-1, ~in_number] = NO_DIGIT
        signature[-1] = [char.isspace() or unicodedata.category(char) == "Cf" for char in everything]
        _, first, self.class_of = _distinct(signature)
        self.classes = len(first)
        if self.classes > 256:
            raise UnsupportedPatternError("more than 256 kinds of characters")
        kinds = signature[:, first]
        symbols: Symbols = {
            atom: sum(1 << kind for kind in np.flatnonzero(kinds[at]).tolist()) for at, atom in enumerate(atoms)
        }
        self.flags = np.zeros(self.classes, np.uint16)
        for at, flag in enumerate(flags):
            self.flags |= (kinds[len(atoms) + at].astype(np.uint16) * flag).astype(np.uint16)
        self.flags |= kinds[-1].astype(np.uint16) * np.uint16(BLANK)
        self.digit, self.key = kinds[-3], kinds[-2]
        self.viable = TextTable(viable, viable_start, symbols, self.classes)
        self.extension = TextTable(extension, extension_start, symbols, self.classes, backwards=True)
        self.ascii = self._ascii()

    def _ascii(self) -> np.ndarray:
        """Flags of the bytes that need no automaton: ASCII digits, the plus, and punctuation that no extension begins with."""
        fast = np.full(256, FAST_OTHER, np.uint8)
        punctuation = set(re.findall(f"[{lib._VALID_PUNCTUATION}]", "".join(map(chr, range(128)))))
        plain = {char for char in punctuation if not char.isalpha() and char != "~"}
        fast[[ord(char) for char in plain]] = 0
        fast[[ord(char) for char in "0123456789"]] = FAST_DIGIT
        fast[ord("+")] = FAST_PLUS
        kinds = {int(self.class_of[code]) for code in np.flatnonzero(fast[:128] < FAST_PLUS).tolist()}
        seen, todo = {1}, [1]
        while todo:
            for kind in kinds:
                state = self.extension.rows[todo[-1]][kind]
                if state not in seen:
                    seen.add(state)
                    todo.insert(0, state)
            todo.pop()
        if any(self.extension.accepts[state] for state in seen):
            raise UnsupportedPatternError("an extension written with digits and plain punctuation only")
        return fast


def _end_character() -> str:
    found = re.fullmatch(r"\(\?u\)\(\?:(.+)\)\+\$", lib._UNWANTED_END_CHARS)
    if found is None or lib._SECOND_NUMBER_START != r"[\\/] *x":
        raise UnsupportedPatternError("another way to trim a number")
    return f"(?:{found[1]})"


def _distinct(signature: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number the columns so that equal ones share a number."""
    packed = np.ascontiguousarray(signature.T)
    keys = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
    return np.unique(keys, return_index=True, return_inverse=True)
