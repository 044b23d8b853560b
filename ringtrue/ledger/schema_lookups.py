"""Tables of the lookups: what was asked, what it cost, what was learned besides evidence. Money is in millionths of its currency."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Table, Text, func, text

from ringtrue.ledger.schema import _ID, metadata

intents = Table(
    "intents",
    metadata,
    Column("intent_id", _ID, primary_key=True),
    Column("service", Text, nullable=False),
    Column("product", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("question", Text, nullable=False),
    Column("run", Text, nullable=False),
    Column("root_run", Text, nullable=False),
    Column("run_over", Boolean, nullable=False, server_default=text("false")),
    Column("state", Text, nullable=False),
    Column("current", Boolean, nullable=False),
    Column("cost", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("lifetime_days", Float, nullable=False),
    Column("job", Text),
    Column("result", Text),
    Column("answer", Text),
    Column("reason", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger),
    Index(
        "uq_intents_current",
        "service",
        "product",
        "subject",
        unique=True,
        sqlite_where=text("current"),
        postgresql_where=text("current"),
    ),
    Index("ix_intents_subject", "subject"),
    Index(
        "ix_intents_open",
        "service",
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
    comment="one row for each question that was sent, committed before it left: open, answered, unknown. `current`: the last of "
    "its service, product and subject. Written by lookups",
)

spend = Table(
    "spend",
    metadata,
    Column("service", Text, primary_key=True),
    Column("period", Text, primary_key=True),
    Column("currency", Text, nullable=False),
    Column("asked", BigInteger, nullable=False),
    Column("answered", BigInteger, nullable=False),
    Column("abstained", BigInteger, nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("lost", BigInteger, nullable=False),
    Column("disagreed", BigInteger, nullable=False),
    Column("cost", BigInteger, nullable=False),
    comment="each service's questions and money by period: a run, a day 2026-11-24, a month 2026-11 (UTC). Written by lookups",
    sqlite_with_rowid=False,
)

lines = Table(
    "lines",
    metadata,
    Column("number", Text, primary_key=True),
    Column("line_type", Text),
    Column("carrier", Text),
    Column("ported", Boolean),
    Column("listed", Boolean),
    Column("service", Text, nullable=False),
    Column("observed_at", BigInteger, nullable=False),
    comment="what services told of a line besides its life; `listed`: on a do-not-call list, says the service. Written by lookups",
    sqlite_with_rowid=False,
)

email_states = Table(
    "email_states",
    metadata,
    Column("email", Text, primary_key=True),
    Column("state", Text),
    Column("service", Text),
    Column("observed_at", BigInteger),
    Column("wanted_at", BigInteger, nullable=False),
    Column("look_at", BigInteger, nullable=False),
    comment="addresses that would be somebody's next channel, and what services said of them: good, risky, bad, null while "
    "nothing is known. Written by lookups",
    sqlite_with_rowid=False,
)

lookup_dates = Table(
    "lookup_dates",
    metadata,
    Column("number", Text, primary_key=True),
    Column("look_at", BigInteger, nullable=False),
    comment="when a number is next looked at, whether asking it is worth its price. Written by lookups",
    sqlite_with_rowid=False,
)

Index("ix_contacts_email", func.lower(metadata.tables["contacts"].c.email))
