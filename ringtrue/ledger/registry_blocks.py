"""Numbers of a registry in blocks of 50,000 neighbours: a few bytes a number, found by one look-up a block, the same on SQLite and PostgreSQL.

A block is a sorted list of 16-bit offsets, or a bitmap where that is shorter (the containers of Lemire et al., "Consistently faster and
smaller compressed bitmaps with Roaring", 2016). An area code of ten million numbers is exactly 200 blocks, so it can be replaced alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, bindparam, text

from ringtrue.ledger.database import insert_rows

Numbers = NDArray[np.int64]
BLOCK = 50_000
"""Numbers to a block. Divides the ten million numbers of an area code of the North American Numbering Plan."""
_BITMAP_BYTES = BLOCK // 8
_LIST, _BITMAP = b"\x00", b"\x01"
_WRITE_ROWS = 5_000
_READ_BLOCKS = 1_000
_SOME_BLOCKS = text(
    "SELECT block, members FROM registry_blocks WHERE name = :name AND block IN :blocks ORDER BY block"
).bindparams(bindparam("blocks", expanding=True))


def digits(numbers: Sequence[str]) -> Numbers:
    """E.164 numbers as integers; 0 for what is none."""
    return np.array(
        [int(number[1:]) if number.startswith("+") and number[1:].isdigit() else 0 for number in numbers], np.int64
    )


def pack(offsets: Numbers) -> bytes:
    """Sorted distinct offsets of one block as its bytes."""
    if len(offsets) * 2 <= _BITMAP_BYTES:
        return _LIST + offsets.astype("<u2").tobytes()
    bits = np.zeros(BLOCK, np.uint8)
    bits[offsets] = 1
    return _BITMAP + np.packbits(bits).tobytes()


def unpack(members: bytes) -> Numbers:
    """The sorted offsets of a block."""
    if members[:1] == _LIST:
        return np.frombuffer(members, "<u2", offset=1).astype(np.int64)
    return np.flatnonzero(np.unpackbits(np.frombuffer(members, np.uint8, offset=1))[:BLOCK]).astype(np.int64)


def _blocks(numbers: Numbers) -> Iterator[tuple[int, Numbers]]:
    """Sorted numbers by block: (block, sorted offsets)."""
    block = numbers // BLOCK
    edges = np.flatnonzero(np.diff(block, prepend=-1, append=-1)).tolist()
    for start, end in itertools.pairwise(edges):
        first = int(block[start])
        yield first, numbers[start:end] - first * BLOCK


def write(connection: Connection, name: str, portions: Iterable[Numbers]) -> int:
    """Store sorted distinct numbers, portion by portion; no block may lie in two portions. Returns how many numbers."""
    count = 0
    rows: list[tuple[str, int, bytes]] = []
    for numbers in portions:
        count += len(numbers)
        for block, offsets in _blocks(numbers):
            rows.append((name, block, pack(offsets)))
            if len(rows) >= _WRITE_ROWS:
                _put(connection, rows)
                rows = []
    _put(connection, rows)
    return count


def _put(connection: Connection, rows: Sequence[tuple[str, int, bytes]]) -> None:
    insert_rows(
        connection, "registry_blocks", ["name", "block", "members"], rows,
        on_conflict="(name, block) DO UPDATE SET members = excluded.members",
    )  # fmt: skip


def clear(connection: Connection, name: str, first: int | None = None, last: int | None = None) -> None:
    """Forget a registry's numbers, or only those from `first` to `last` (whole blocks)."""
    low, high = (0, 1 << 62) if first is None or last is None else (first // BLOCK, last // BLOCK)
    connection.execute(
        text("DELETE FROM registry_blocks WHERE name = :name AND block BETWEEN :low AND :high"),
        {"name": name, "low": low, "high": high},
    )


def change(connection: Connection, name: str, portions: Iterable[tuple[Numbers, Numbers]]) -> tuple[int, int]:
    """Add and take out sorted distinct numbers: portions of (added, taken out). Returns how many really came and went."""
    came = went = 0
    for added, removed in portions:
        touched = sorted(set((added // BLOCK).tolist()) | set((removed // BLOCK).tolist()))
        held = _held(connection, name, touched)
        adding = dict(_blocks(added))
        removing = dict(_blocks(removed))
        none = np.zeros(0, np.int64)
        rows: list[tuple[str, int, bytes]] = []
        for block in touched:
            before = held.get(block, none)
            with_new = np.union1d(before, adding.get(block, none))
            after = np.setdiff1d(with_new, removing.get(block, none), assume_unique=True)
            came += len(np.setdiff1d(after, before, assume_unique=True))
            went += len(np.setdiff1d(before, after, assume_unique=True))
            rows.append((name, block, pack(after)))
        _put(connection, rows)
    return came, went


def _held(connection: Connection, name: str, blocks: Sequence[int]) -> dict[int, Numbers]:
    return {block: unpack(members) for block, members in _members(connection, name, blocks)}


def _members(connection: Connection, name: str, blocks: Sequence[int]) -> list[tuple[int, bytes]]:
    """Blocks with their bytes, in order, by the key's index: a temporary table would have PostgreSQL read the whole registry."""
    found: list[tuple[int, bytes]] = []
    for start in range(0, len(blocks), _READ_BLOCKS):
        rows = connection.execute(_SOME_BLOCKS, {"name": name, "blocks": blocks[start : start + _READ_BLOCKS]})
        found += [(int(block), bytes(members)) for block, members in rows]
    return found


def contains(connection: Connection, name: str, numbers: Numbers) -> NDArray[np.bool_]:
    """Whether the registry holds each number."""
    block = numbers // BLOCK
    listed: list[Numbers] = []
    found = np.zeros(len(numbers), np.bool_)
    order = np.argsort(block, kind="stable")
    ordered = block[order]
    for key, members in _members(connection, name, np.unique(block).tolist()):
        if members[:1] == _LIST:
            listed.append(np.frombuffer(members, "<u2", offset=1).astype(np.int64) + key * BLOCK)
            continue
        bits = np.frombuffer(members, np.uint8, offset=1)
        here = order[np.searchsorted(ordered, key, "left") : np.searchsorted(ordered, key, "right")]
        offset = numbers[here] - key * BLOCK
        found[here] = (bits[offset >> 3] >> (7 - (offset & 7))) & 1 == 1
    if listed:
        held = np.concatenate(listed)
        place = np.minimum(np.searchsorted(held, numbers), len(held) - 1)
        found |= held[place] == numbers
    return found


def count(connection: Connection, name: str, first: int, last: int) -> int:
    """How many numbers a registry holds from `first` to `last` (whole blocks)."""
    total = 0
    result = connection.execute(
        text("SELECT members FROM registry_blocks WHERE name = :name AND block BETWEEN :low AND :high"),
        {"name": name, "low": first // BLOCK, "high": last // BLOCK},
    )
    for (members,) in result:
        total += len(unpack(bytes(members)))
    return total
