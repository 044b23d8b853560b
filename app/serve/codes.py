"""Personal codes for the why page: long, random, and kept as hashes only."""

from __future__ import annotations

import hmac
import os
import secrets
import tempfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import orjson

from ringtrue.errors import SettingsError
from ringtrue.serve_settings import SignInSettings

_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""32 letters and digits that nobody takes for one another."""
_GROUPS, _GROUP = 5, 5
LONGEST_NAME = 60


class Holder(NamedTuple):
    """Whose code it is. `check` changes when the code does."""

    name: str
    check: str


def new_code() -> str:
    """A code of 125 random bits, in groups to be typed. So many need no slow hash."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS))


def digest(code: str) -> str:
    """The hash under which a code is kept; blanks, dashes and case make no difference."""
    plain = "".join(character for character in code.upper() if character.isalnum())
    return sha256(f"ringtrue-code\0{plain}".encode()).hexdigest()


class Codes:
    """The codes in force: those of the file, and those of the environment."""

    def __init__(self, settings: SignInSettings, environ: Mapping[str, str]) -> None:
        self._file = Path(settings.codes_file)
        self._variable = settings.codes_variable
        self._environ = environ
        self._read_at: float | None = None
        self._held: dict[str, str] = {}

    def hashes(self) -> dict[str, str]:
        """Hashes by name. The file is read again when it has changed, so that a code taken away opens nothing any more."""
        try:
            changed = self._file.stat().st_mtime_ns
        except FileNotFoundError:
            self._read_at, self._held = None, {}
        else:
            if changed != self._read_at:
                self._held, self._read_at = _read(self._file), changed
        named = {}
        for pair in self._environ.get(self._variable or "", "").split(";"):
            name, equals, value = pair.partition("=")
            if equals and name.strip():
                named[name.strip()] = value.strip().casefold()
        return {**named, **self._held}

    def holder(self, code: str) -> Holder | None:
        """Whose code this is; None for nobody's."""
        given = digest(code)
        found = None
        for name, known in self.hashes().items():
            if hmac.compare_digest(known.encode(), given.encode()):
                found = Holder(name, known[:16])
        return found

    def still(self, name: str, check: str) -> bool:
        """Whether a session's code is in force still."""
        return self.hashes().get(name, "")[:16] == check

    def add(self, name: str) -> str:
        """Make a code for somebody and keep its hash. Returns the code, which is shown once."""
        name = name.strip()
        if not name or len(name) > LONGEST_NAME or any(character in name for character in "=;\n\0"):
            raise SettingsError(f"A name has 1 to {LONGEST_NAME} characters, without = and ;.")
        held = _read(self._file) if self._file.exists() else {}
        if name in held:
            raise SettingsError(f"{name} has a code already. Take it away first: `ringtrue serve code remove {name}`.")
        code = new_code()
        self._keep({**held, name: digest(code)})
        return code

    def remove(self, name: str) -> bool:
        """Take somebody's code away; their sessions end at once. False when there was none."""
        held = _read(self._file) if self._file.exists() else {}
        if held.pop(name, None) is None:
            return False
        self._keep(held)
        return True

    def _keep(self, held: dict[str, str]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        descriptor, place = tempfile.mkstemp(dir=self._file.parent, prefix=".codes")
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(orjson.dumps(held, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
        Path(place).replace(self._file)


def _read(file: Path) -> dict[str, str]:
    try:
        held = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise SettingsError(
            f"The file of personal codes {file.name} cannot be read. Restore it, or delete it and make new codes."
        ) from error
    if not isinstance(held, dict) or not all(isinstance(value, str) for value in held.values()):
        raise SettingsError(
            f"The file of personal codes {file.name} is damaged. Restore it, or delete it and make new codes."
        )
    return held
