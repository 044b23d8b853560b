"""What a plan holds: counted and hashed without regard to order."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b


class Content:
    """What a plan holds, whatever the order: how many records and fields, and a hash of them.

    The hash is the sum of the rows' hashes modulo 2^256, so a plan that takes over the rows of another has the hash it would have had
    by itself (an additive multiset hash, Clarke et al. 2003).
    """

    def __init__(self) -> None:
        self.records = 0
        self.fields = 0
        self._sum = 0

    def merge(self, other: Content) -> None:
        """Add what another part of the plan holds."""
        self.records += other.records
        self.fields += other.fields
        self._sum += other._sum

    def take(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """Add rows of object, record id and fields as they stand in the journal."""
        lines = [f"{object_name}\0{record_id}\0{fields}" for object_name, record_id, fields in rows]
        self._sum += sum([int.from_bytes(blake2b(line.encode(), digest_size=32).digest()) for line in lines])
        self.records += len(lines)
        together = "".join(lines)
        # Each field is a key in front of a list; a quote inside a value has a backslash before it.
        self.fields += together.count('":[') - together.count('\\":[')

    @property
    def hash(self) -> str:
        """The hash as 64 hexadecimal digits."""
        return f"{self._sum % 2**256:064x}"
