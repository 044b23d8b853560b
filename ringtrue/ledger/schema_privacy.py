"""The table of privacy requests. Same rules as in `schema`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Table, Text

from ringtrue.ledger.schema import _ID, metadata

privacy_requests = Table(
    "privacy_requests",
    metadata,
    Column("request_id", _ID, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("number_key", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("counts", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("ix_privacy_requests_number_key", "number_key"),
    comment="append-only: every export and erasure, by the keyed hash of the number, with how many rows of each table. "
    "Written by `ringtrue export` and `forget`",
)
