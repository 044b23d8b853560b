"""Tables of permission besides the suppressions: registries, consents, dialling lists, e-mail preferences. Same rules as in `schema`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, Table, Text, text

from ringtrue.ledger.schema import _ID, metadata

registries = Table(
    "registries",
    metadata,
    Column("registry_id", _ID, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("form", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("numbers", BigInteger, nullable=False),
    Column("added", BigInteger, nullable=False),
    Column("removed", BigInteger, nullable=False),
    Column("area_codes", Text, nullable=False),
    Column("san", Text),
    Column("list_date", BigInteger, nullable=False),
    Column("loaded_at", BigInteger, nullable=False),
    Column("base", _ID),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("context", Text, nullable=False),
    Column("run", Text, nullable=False),
    Index("ix_registries_name", "name", "sha256"),
    comment="every registry file that was taken or refused: state in_force, replaced, refused, withdrawn. Written by registries",
)

registry_parts = Table(
    "registry_parts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("part", Text, primary_key=True),
    Column("registry_id", _ID, nullable=False),
    Column("list_date", BigInteger, nullable=False),
    Column("numbers", BigInteger, nullable=False),
    comment="which file is in force for which area code (empty: the whole registry). Written by registries",
    sqlite_with_rowid=False,
)

registry_blocks = Table(
    "registry_blocks",
    metadata,
    Column("name", Text, primary_key=True),
    Column("block", BigInteger, primary_key=True),
    Column("members", LargeBinary, nullable=False),
    comment="the numbers in force, 50,000 neighbours to a block. Written by registries",
    sqlite_with_rowid=False,
)

registry_listings = Table(
    "registry_listings",
    metadata,
    Column("number", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("registry_id", _ID, nullable=False),
    Column("since", BigInteger, nullable=False),
    comment="numbers of ours that a registry in force lists. Written by suppressions",
    sqlite_with_rowid=False,
)

scrubs = Table(
    "scrubs",
    metadata,
    Column("scrub_id", _ID, primary_key=True),
    Column("run", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("whole", Boolean, nullable=False),
    Column("numbers", BigInteger, nullable=False),
    Column("listed", BigInteger, nullable=False),
    Column("newly_listed", BigInteger, nullable=False),
    Column("delisted", BigInteger, nullable=False),
    Column("registries", Text, nullable=False),
    comment="append-only proof of every scrub: which versions, how many numbers. Written by suppressions",
)

consents = Table(
    "consents",
    metadata,
    Column("consent_id", _ID, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("number", Text),
    Column("number_key", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("second_person", Text),
    Column("at", BigInteger, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Index("ix_consents_number_key", "number_key", "channel"),
    comment="append-only: consent given or withdrawn, by channel (call, sms). Written by `ringtrue consent` and `suppress reconsent`",
)

list_members = Table(
    "list_members",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("list", Text, primary_key=True),
    Column("record_id", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Index("ix_list_members_record", "connection", "record_id"),
    comment="who is on the dialling lists named in the settings. Written by campaign_members and list_members, and by writeback",
    sqlite_with_rowid=False,
)

email_preferences = Table(
    "email_preferences",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("email", Text, primary_key=True),
    Column("opted_out", Boolean, nullable=False, server_default=text("false")),
    Column("checked_at", BigInteger, nullable=False),
    comment="opt-outs of all e-mail, as the CRM's preferences say. Written by email_preferences",
    sqlite_with_rowid=False,
)
