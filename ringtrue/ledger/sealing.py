"""A stream sealed with a passphrase: AES-256-GCM over pieces of a mebibyte, the key by scrypt from a salt of the file's own.

A piece that was changed, moved or cut off at the end is noticed: its number is the nonce, and only the last one is marked as the last.
"""

from __future__ import annotations

import secrets
from typing import IO, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from ringtrue.errors import FileUnreadable

MAGIC = b"RINGTRUE SEALED 1\n"
_PIECE = 1 << 20
_SALT = 16
_TAG = 16


def _cipher(passphrase: str, salt: bytes) -> AESGCM:
    return AESGCM(Scrypt(salt=salt, length=32, n=2**15, r=8, p=1).derive(passphrase.encode()))


class Sealing:
    """Takes bytes and writes them sealed. It cannot go back, like a pipe."""

    def __init__(self, out: BinaryIO, passphrase: str) -> None:
        salt = secrets.token_bytes(_SALT)
        self._out = out
        self._cipher = _cipher(passphrase, salt)
        self._held = bytearray()
        self._number = 0
        out.write(MAGIC + salt)

    def write(self, data: bytes) -> int:
        """Take bytes."""
        self._held += data
        # One piece is held back: only at the end is it known which is the last.
        while len(self._held) > _PIECE:
            self._put(bytes(self._held[:_PIECE]), b"more")
            del self._held[:_PIECE]
        return len(data)

    def flush(self) -> None:
        """Nothing: pieces are written when they are full."""

    def finish(self) -> None:
        """Write what is held as the last piece."""
        self._put(bytes(self._held), b"last")
        self._held.clear()

    def _put(self, piece: bytes, mark: bytes) -> None:
        self._out.write(self._cipher.encrypt(self._number.to_bytes(12), piece, mark))
        self._number += 1


def unseal(source: BinaryIO, passphrase: str, out: IO[bytes]) -> None:
    """Write what was sealed. `source` stands behind the magic bytes. Raises FileUnreadable."""
    cipher = _cipher(passphrase, source.read(_SALT))
    number = 0
    piece = source.read(_PIECE + _TAG)
    while True:
        following = source.read(_PIECE + _TAG)
        try:
            out.write(cipher.decrypt(number.to_bytes(12), piece, b"more" if following else b"last"))
        except InvalidTag:
            raise FileUnreadable(
                "The backup cannot be opened: the passphrase in RINGTRUE_BACKUP_PASSPHRASE is not the one it was sealed with, "
                "or the file is damaged."
            ) from None
        if not following:
            return
        piece, number = following, number + 1
