"""What a reader collects from a registry file: numbers of a full list, or the last word on each number of a change list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from connectors.registries.sorting import Keys, SortedKeys, distinct
from ringtrue.errors import FileUnreadable
from ringtrue.ledger.registry_blocks import BLOCK

Form = Literal["full", "change"]
_PLACE_BITS = 27
_NUMBER_SHIFT = _PLACE_BITS + 1
MOST_CHANGES = 1 << _PLACE_BITS


def _last_word(keys: Keys) -> Keys:
    """Of sorted change keys, the last of each number."""
    number = keys >> _NUMBER_SHIFT
    return keys[np.append(number[1:] != number[:-1], True)] if len(keys) else keys


@dataclass
class Entries:
    """Numbers (E.164 without the plus, as integers) as they come. A change is (number, whether it is taken out), in the file's order."""

    form: Form
    lines: int = 0
    bad: int = 0
    newest: int | None = None
    """Latest moment that a change list names, in milliseconds."""
    area_codes: Counter[int] = field(default_factory=Counter)
    _keys: SortedKeys = field(init=False)
    _changes: int = 0

    def __post_init__(self) -> None:
        self._keys = SortedKeys(distinct if self.form == "full" else _last_word)

    def add(self, numbers: Keys) -> None:
        """Numbers of a full list."""
        self._keys.add(numbers)

    def add_changes(self, numbers: Keys, removed: NDArray[np.bool_]) -> None:
        """Changes in the order in which they happened. Raises FileUnreadable for more than 134 million."""
        place = np.arange(self._changes, self._changes + len(numbers), dtype=np.int64)
        self._changes += len(numbers)
        if self._changes > MOST_CHANGES:
            raise FileUnreadable("The change list is too long. Load a full list instead.")
        self._keys.add((numbers << _NUMBER_SHIFT) | (place << 1) | removed)

    def numbers(self) -> Iterator[Keys]:
        """The numbers of a full list: sorted, distinct, whole blocks at a time."""
        yield from self._keys.portions(BLOCK)

    def changes(self) -> Iterator[tuple[Keys, Keys]]:
        """Numbers to add and to take out: sorted, distinct, whole blocks at a time."""
        for keys in self._keys.portions(BLOCK << _NUMBER_SHIFT):
            number, gone = keys >> _NUMBER_SHIFT, keys & 1 == 1
            yield number[~gone], number[gone]

    def close(self) -> None:
        """Give temporary files back."""
        self._keys.close()
