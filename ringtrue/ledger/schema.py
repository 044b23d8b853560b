"""The tables of the ledger. Moments are integers: milliseconds since 1970 in UTC. JSON is text, written by orjson.

Each table has one writing stage, named in its comment.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, MetaData, Table, Text, UniqueConstraint, text

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

_ID = BigInteger().with_variant(Integer, "sqlite")

meta = Table(
    "meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    comment="facts about this ledger: which org each connection speaks to, fingerprint of the suppression key",
)

contacts = Table(
    "contacts",
    metadata,
    Column("contact_id", _ID, primary_key=True),
    Column("connection", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("record_id", Text, nullable=False),
    Column("name", Text),
    Column("email", Text),
    Column("country", Text),
    Column("state", Text),
    Column("place", Text),
    Column("owner", Text),
    Column("account", Text),
    Column("linkedin", Text),
    Column("source", Text, nullable=False, server_default="{}"),
    Column("first_source", Text, nullable=False, server_default="{}"),
    Column("do_not_call", Boolean, nullable=False),
    Column("do_not_call_ours", Boolean, nullable=False, server_default=text("false")),
    Column("flagged_at", BigInteger),
    Column("email_opt_out", Boolean, nullable=False),
    Column("phones", Text, nullable=False),
    Column("ours", Text, nullable=False),
    Column("why_id", Text, nullable=False),
    Column("created_at", BigInteger),
    Column("modified_at", BigInteger, nullable=False),
    Column("first_seen_at", BigInteger, nullable=False),
    Column("deleted_at", BigInteger),
    Column("merged_into", Text),
    Column("forgotten_at", BigInteger),
    UniqueConstraint("connection", "record_id", "object"),
    Index("ix_contacts_why_id", "why_id"),
    Index(
        "ix_contacts_merged_into",
        "merged_into",
        sqlite_where=text("merged_into IS NOT NULL"),
        postgresql_where=text("merged_into IS NOT NULL"),
    ),
    Index(
        "ix_contacts_forgotten",
        "connection",
        "record_id",
        sqlite_where=text("forgotten_at IS NOT NULL"),
        postgresql_where=text("forgotten_at IS NOT NULL"),
    ),
    comment="written by <connection>/contacts; `ours` (our fields as last seen) also by <connection>/writeback. "
    "`forgotten_at`: `ringtrue forget` erased the person, who is not stored again",
)

contact_sources = Table(
    "contact_sources",
    metadata,
    Column("contact_id", _ID, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("seen_at", BigInteger, nullable=False),
    comment="later lead sources of a contact; the first stands in contacts. Written by <connection>/contacts",
    sqlite_with_rowid=False,
)

phones = Table(
    "phones",
    metadata,
    Column("contact_id", _ID, primary_key=True),
    Column("field", Text, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("raw", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("e164", Text),
    Column("extension", Text),
    Column("valid", Boolean, nullable=False),
    Column("sure", Boolean, nullable=False),
    Column("reason", Text),
    Column("region", Text),
    Column("type", Text),
    Index("ix_phones_number", "number", "valid", "reason"),
    comment="written by phones. `number` is the E.164, or ? and a hash of the text where there is none",
    sqlite_with_rowid=False,
)

dirty_contacts = Table(
    "dirty_contacts",
    metadata,
    Column("stage", Text, primary_key=True),
    Column("contact_id", _ID, primary_key=True),
    Column("token", BigInteger, nullable=False),
    comment="contacts the next stage has to look at, marked in the transaction that changed them",
    sqlite_with_rowid=False,
)

dirty_numbers = Table(
    "dirty_numbers",
    metadata,
    Column("stage", Text, primary_key=True),
    Column("number", Text, primary_key=True),
    Column("token", BigInteger, nullable=False),
    comment="numbers the next stage has to look at, marked in the transaction that changed them",
    sqlite_with_rowid=False,
)

dirty_calls = Table(
    "dirty_calls",
    metadata,
    Column("stage", Text, primary_key=True),
    Column("call_id", _ID, primary_key=True),
    Column("token", BigInteger, nullable=False),
    comment="calls the next stage has to read, marked in the transaction that changed them",
    sqlite_with_rowid=False,
)

calls = Table(
    "calls",
    metadata,
    Column("call_id", _ID, primary_key=True),
    Column("connection", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("namespace", Text, nullable=False),
    Column("records", Text, nullable=False),
    Column("number", Text),
    Column("outcome", Text),
    Column("label", Text),
    Column("status", Text),
    Column("cause", Text),
    Column("direction", Text),
    Column("duration_seconds", Float),
    Column("notes", Text),
    Column("trunk", Text),
    Column("started_at", BigInteger),
    Column("modified_at", BigInteger, nullable=False),
    Column("deleted", Boolean, nullable=False),
    UniqueConstraint("connection", "external_id"),
    comment="call history as pulled; `records` are the CRM ids of the people called. Written by <connection>/calls",
)

observations = Table(
    "observations",
    metadata,
    Column("observation_id", _ID, primary_key=True),
    Column("number", Text, nullable=False),
    Column("contact_id", _ID, nullable=False, server_default=text("0")),
    Column("kind", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("source_group", Text),
    Column("outcome", Text, nullable=False),
    Column("raw", Text),
    Column("detail", Text),
    Column("trunk", Text),
    Column("log_lr", Float),
    Column("observed_at", BigInteger, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("void", Boolean, nullable=False, server_default=text("false")),
    Column("cost", Float, nullable=False, server_default=text("0")),
    Column("run", Text, nullable=False),
    UniqueConstraint("source", "external_id", "kind", "number", "contact_id"),
    Index("ix_observations_number", "number"),
    comment="append-only evidence. Written by call_evidence, lookups and the entry service; contact_id 0: the number itself; "
    "`void`: its call was corrected or deleted at the source",
)

decisions = Table(
    "decisions",
    metadata,
    Column("decision_id", _ID, primary_key=True),
    Column("number", Text, nullable=False),
    Column("contact_id", _ID, nullable=False, server_default=text("0")),
    Column("status", Text, nullable=False),
    Column("line", Text, nullable=False),
    Column("reach", Text, nullable=False),
    Column("identity", Text, nullable=False),
    Column("permission", Text, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("reason", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("policy", Text, nullable=False),
    Column("decided_at", BigInteger, nullable=False),
    Column("recheck_at", BigInteger),
    Column("current", Boolean, nullable=False),
    Index(
        "uq_decisions_current",
        "number",
        "contact_id",
        unique=True,
        sqlite_where=text("current"),
        postgresql_where=text("current"),
    ),
    Index(
        "ix_decisions_recheck",
        "recheck_at",
        sqlite_where=text("current AND recheck_at IS NOT NULL"),
        postgresql_where=text("current AND recheck_at IS NOT NULL"),
    ),
    Index("ix_decisions_number", "number"),
    Index(
        "ix_decisions_contact",
        "contact_id",
        sqlite_where=text("contact_id <> 0"),
        postgresql_where=text("contact_id <> 0"),
    ),
    comment="written by status. Older decisions stay, `current` false, since changes refer to them",
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("event_id", _ID, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("number", Text),
    Column("number_key", Text),
    Column("contact_id", _ID),
    Column("cause", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("second_person", Text),
    Column("lifts", _ID),
    Column("at", BigInteger, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("previous_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    UniqueConstraint("source", "cause", "kind", "scope", "number_key", "contact_id"),
    Index(
        "ix_suppressions_number",
        "number",
        sqlite_where=text("number IS NOT NULL"),
        postgresql_where=text("number IS NOT NULL"),
    ),
    Index(
        "ix_suppressions_erased",
        "number_key",
        sqlite_where=text("number IS NULL AND scope = 'number'"),
        postgresql_where=text("number IS NULL AND scope = 'number'"),
    ),
    Index("ix_suppressions_number_key", "number_key"),
    Index("ix_suppressions_contact", "contact_id"),
    Index("ix_suppressions_lifts", "lifts"),
    comment="append-only, hash-chained, the only store of permission. Written by suppressions and `ringtrue suppress`",
)

plans = Table(
    "plans",
    metadata,
    Column("plan_id", Text, primary_key=True),
    Column("connection", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("run", Text, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("fields", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("approved_by", Text),
    Column("approved_at", BigInteger),
    Column("approved_hash", Text),
    Index("ix_plans_connection", "connection", "state"),
    comment="written by <connection>/changes; approval by `ringtrue approve`",
)

changes = Table(
    "changes",
    metadata,
    Column("change_id", _ID, primary_key=True),
    Column("plan_id", Text, nullable=False),
    Column("connection", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("record_id", Text, nullable=False),
    Column("contact_id", _ID, nullable=False),
    Column("fields", Text, nullable=False),
    Column("guarded", Boolean, nullable=False),
    Column("decisions", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("batch", Text),
    Column("job", Text),
    Column("error", Text),
    Column("run", Text),
    Column("root_run", Text),
    Column("undoes", _ID),
    Column("cleared", Boolean, nullable=False, server_default=text("false")),
    Column("changed_at", BigInteger, nullable=False),
    Index(
        "ix_changes_open",
        "connection",
        "plan_id",
        "state",
        "guarded",
        "change_id",
        sqlite_where=text("state IN ('planned', 'sending', 'failed')"),
        postgresql_where=text("state IN ('planned', 'sending', 'failed')"),
    ),
    Index("ix_changes_contact", "contact_id"),
    comment="the journal: one row for the fields of one record that travel together, {field: [before, after]}",
)

holds = Table(
    "holds",
    metadata,
    Column("contact_id", _ID, primary_key=True),
    Column("field", Text, primary_key=True),
    Column("refused", Text),
    Column("since", BigInteger, nullable=False),
    Column("run", Text, nullable=False),
    comment="fields an undo put back: not written again until the decision's content changes or `ringtrue release`",
    sqlite_with_rowid=False,
)

syncs = Table(
    "syncs",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("object", Text, primary_key=True),
    Column("cursor", Text),
    Column("last_pull_at", BigInteger),
    Column("last_full_at", BigInteger),
    Column("last_reconcile_at", BigInteger),
    comment="written by the pulls, in the transaction that stores the batch",
)

rejects = Table(
    "rejects",
    metadata,
    Column("reject_id", _ID, primary_key=True),
    Column("stage", Text, nullable=False),
    Column("connection", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("run", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    UniqueConstraint("stage", "connection", "key", "reason"),
    comment="rows that could not be used, and why. Written by the stage named in it",
)

review = Table(
    "review",
    metadata,
    Column("review_id", _ID, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("suggestion", Text),
    Column("count", BigInteger, nullable=False),
    Column("first_seen_at", BigInteger, nullable=False),
    Column("answer", Text),
    Column("answered_by", Text),
    Column("answered_at", BigInteger),
    UniqueConstraint("kind", "subject"),
    comment="what no rule could read; a person answers once",
)

source_arrivals = Table(
    "source_arrivals",
    metadata,
    Column("contact_id", _ID, primary_key=True),
    Column("number", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("reason", Text),
    Column("raw", Text),
    Column("e164", Text),
    Column("verified_at", BigInteger, nullable=False),
    Column("decision_id", _ID),
    Column("charted", Boolean, nullable=False, server_default=text("false")),
    Index("ix_source_arrivals_number", "number"),
    Index(
        "ix_source_arrivals_open",
        "contact_id",
        sqlite_where=text("NOT charted"),
        postgresql_where=text("NOT charted"),
    ),
    comment="what a number was found to be when first verified on arrival; it stays when the field is corrected or the "
    "contact deleted. Written by lead_source_quality",
    sqlite_with_rowid=False,
)

source_quality = Table(
    "source_quality",
    metadata,
    Column("source", Text, primary_key=True),
    Column("day", Text, primary_key=True),
    Column("measured_at", BigInteger, nullable=False),
    Column("grade", Text, nullable=False),
    Column("figures", Text, nullable=False),
    Column("faults", Text, nullable=False),
    Column("run", Text, nullable=False),
    comment="each source's figures, one row a day. Written by lead_source_quality",
    sqlite_with_rowid=False,
)

source_states = Table(
    "source_states",
    metadata,
    Column("source", Text, primary_key=True),
    Column("alarm", Text, nullable=False),
    Column("grade", Text, nullable=False, server_default=""),
    Column("fell_at", BigInteger),
    Column("accepted_by", Text),
    Column("accepted_at", BigInteger),
    comment="each source's change alarm, and the grade it is held to. Written by lead_source_quality and `ringtrue sources accept`",
)

source_feedback = Table(
    "source_feedback",
    metadata,
    Column("feedback_id", _ID, primary_key=True),
    Column("connection", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("record_id", Text, nullable=False),
    Column("fields", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("error", Text),
    Column("run", Text, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Index("ix_source_feedback_record", "record_id", "connection", "object"),
    Index(
        "ix_source_feedback_sending",
        "connection",
        sqlite_where=text("state = 'sending'"),
        postgresql_where=text("state = 'sending'"),
    ),
    comment="journal of grades and alarms written to CRMs, {field: [before, after]}: sending, applied, failed. "
    "Written by <connection>/source_feedback",
)

TABLES = tuple(metadata.tables)
