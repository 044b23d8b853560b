"""A registry file as a stream of bytes: unpacked where it is zipped, hashed as it is read, in portions cut at line ends."""

from __future__ import annotations

import gzip
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO

from ringtrue.errors import FileUnreadable

PORTION = 4 << 20
_BROKEN = (EOFError, zipfile.BadZipFile, zlib.error, gzip.BadGzipFile, lzma.LZMAError)


def fingerprint(path: Path) -> str:
    """SHA-256 of the file as it was downloaded, in hex."""
    digest = sha256()
    with path.open("rb") as file:
        while block := file.read(PORTION):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def unpacked(path: Path) -> Iterator[IO[bytes]]:
    """The content of a file, of a .gz, or of the only file in a .zip. Raises FileUnreadable."""
    with path.open("rb") as file:
        magic = file.read(4)
    try:
        if magic[:2] == b"\x1f\x8b":
            with gzip.open(path, "rb") as stream:
                yield stream  # type: ignore[misc]  # a GzipFile reads bytes like any other
        elif magic == b"PK\x03\x04":
            with zipfile.ZipFile(path) as archive:
                names = [item for item in archive.infolist() if not item.is_dir()]
                if len(names) != 1:
                    raise FileUnreadable(
                        f"{path.name} holds {len(names)} files; a registry comes as one. Unpack it into the folder."
                    )
                with archive.open(names[0]) as stream:
                    yield stream
        else:
            with path.open("rb") as stream:
                yield stream
    except _BROKEN as error:
        raise FileUnreadable(f"{path.name} is truncated or damaged ({error}). Download it again.") from error


def portions(stream: IO[bytes]) -> Iterator[tuple[bytes, bool]]:
    """The content cut at line ends, about 4 MB at a time, and whether the portion is an unfinished last line."""
    rest = b""
    while block := stream.read(PORTION):
        block = rest + block
        cut = block.rfind(b"\n") + 1
        if cut:
            yield block[:cut], False
        rest = block[cut:]
        if len(rest) > PORTION:
            raise FileUnreadable("The file has no lines. It is no list of numbers.")
    if rest:
        yield rest, True
