"""Kernel against phonenumbers, row by row."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from ringtrue.numbering import oracle, plans_of, read
from tests.numbers.corpus import Case


def mismatches(cases: Iterable[Case]) -> list[str]:
    """A sentence for each text that the kernel reads differently; it names the text, its region and both answers."""
    rows = list(cases)
    texts = [text for text, _ in rows]
    regions = [region for _, region in rows]
    table = pa.Table.from_batches(
        read(pa.array(texts, pa.large_string()), plans_of(pa.array(regions, pa.string()), len(rows)))
    )
    columns = [
        table.column(name).to_pylist() for name in ("e164", "extension", "error", "possible", "valid", "type", "region")
    ]
    wrong = []
    for text, region, ours in zip(texts, regions, zip(*columns, strict=True), strict=True):
        theirs = oracle.read_one(text, region)[:7]
        if ours != theirs:
            wrong.append(f"{text!r} in {region}: kernel {ours}, phonenumbers {theirs}")
    return wrong
