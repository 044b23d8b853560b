"""The table of the entry service. Same rules as in `schema`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Table, Text, UniqueConstraint, text

from ringtrue.ledger.schema import _ID, metadata

inbox = Table(
    "inbox",
    metadata,
    Column("inbox_id", _ID, primary_key=True),
    Column("source", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("connection", Text),
    Column("object", Text),
    Column("record_id", Text),
    Column("body", Text, nullable=False),
    Column("occurred_at", BigInteger),
    Column("received_at", BigInteger, nullable=False),
    Column("handled_at", BigInteger),
    UniqueConstraint("source", "event_id"),
    Index(
        "ix_inbox_waiting",
        "source",
        "inbox_id",
        sqlite_where=text("handled_at IS NULL"),
        postgresql_where=text("handled_at IS NULL"),
    ),
    Index("ix_inbox_received_at", "received_at"),
    comment="what other systems told us, committed before it was acknowledged. Written by the entry service; `handled_at` by who handled it",
)
