"""The first ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calls",
        sa.Column("call_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("records", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("direction", sa.Text(), nullable=True),
        sa.Column("duration_seconds", sa.Float(), nullable=True),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("trunk", sa.Text(), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("modified_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_calls")),
        sa.UniqueConstraint("connection", "external_id", name=op.f("uq_calls_connection_external_id")),
        comment="call history as pulled; `records` are the CRM ids of the people called. Written by <connection>/calls",
    )
    op.create_table(
        "changes",
        sa.Column("change_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("guarded", sa.Boolean(), nullable=False),
        sa.Column("decisions", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("batch", sa.Text(), nullable=True),
        sa.Column("job", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("run", sa.Text(), nullable=True),
        sa.Column("root_run", sa.Text(), nullable=True),
        sa.Column("undoes", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("cleared", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("change_id", name=op.f("pk_changes")),
        comment="the journal: one row for the fields of one record that travel together, {field: [before, after]}",
    )
    op.create_index("ix_changes_contact", "changes", ["contact_id"], unique=False)
    op.create_index(
        "ix_changes_open",
        "changes",
        ["connection", "plan_id", "state", "guarded", "change_id"],
        unique=False,
        sqlite_where=sa.text("state IN ('planned', 'sending', 'failed')"),
        postgresql_where=sa.text("state IN ('planned', 'sending', 'failed')"),
    )
    op.create_table(
        "consents",
        sa.Column("consent_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("number_key", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("second_person", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("consent_id", name=op.f("pk_consents")),
        comment="append-only: consent given or withdrawn, by channel (call, sms). Written by `ringtrue consent` and `suppress reconsent`",
    )
    op.create_index("ix_consents_number_key", "consents", ["number_key", "channel"], unique=False)
    op.create_table(
        "contact_sources",
        sa.Column("contact_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("contact_id", "source", name=op.f("pk_contact_sources")),
        comment="later lead sources of a contact; the first stands in contacts. Written by <connection>/contacts",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "contacts",
        sa.Column("contact_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("place", sa.Text(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("account", sa.Text(), nullable=True),
        sa.Column("linkedin", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), server_default="{}", nullable=False),
        sa.Column("first_source", sa.Text(), server_default="{}", nullable=False),
        sa.Column("do_not_call", sa.Boolean(), nullable=False),
        sa.Column("do_not_call_ours", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("flagged_at", sa.BigInteger(), nullable=True),
        sa.Column("email_opt_out", sa.Boolean(), nullable=False),
        sa.Column("phones", sa.Text(), nullable=False),
        sa.Column("ours", sa.Text(), nullable=False),
        sa.Column("why_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("modified_at", sa.BigInteger(), nullable=False),
        sa.Column("first_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.Column("merged_into", sa.Text(), nullable=True),
        sa.Column("forgotten_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("contact_id", name=op.f("pk_contacts")),
        sa.UniqueConstraint("connection", "record_id", "object", name=op.f("uq_contacts_connection_record_id_object")),
        comment="written by <connection>/contacts; `ours` (our fields as last seen) also by <connection>/writeback. `forgotten_at`: `ringtrue forget` erased the person, who is not stored again",
    )
    op.create_index("ix_contacts_email", "contacts", [sa.literal_column("lower(email)")], unique=False)
    op.create_index(
        "ix_contacts_forgotten",
        "contacts",
        ["connection", "record_id"],
        unique=False,
        sqlite_where=sa.text("forgotten_at IS NOT NULL"),
        postgresql_where=sa.text("forgotten_at IS NOT NULL"),
    )
    op.create_index(
        "ix_contacts_merged_into",
        "contacts",
        ["merged_into"],
        unique=False,
        sqlite_where=sa.text("merged_into IS NOT NULL"),
        postgresql_where=sa.text("merged_into IS NOT NULL"),
    )
    op.create_index("ix_contacts_why_id", "contacts", ["why_id"], unique=False)
    op.create_table(
        "decisions",
        sa.Column("decision_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column(
            "contact_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            server_default=sa.text("0"),
            nullable=False,
        ),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("reach", sa.Text(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("permission", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.Column("recheck_at", sa.BigInteger(), nullable=True),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_decisions")),
        comment="written by status. Older decisions stay, `current` false, since changes refer to them",
    )
    op.create_index(
        "ix_decisions_contact",
        "decisions",
        ["contact_id"],
        unique=False,
        sqlite_where=sa.text("contact_id <> 0"),
        postgresql_where=sa.text("contact_id <> 0"),
    )
    op.create_index("ix_decisions_number", "decisions", ["number"], unique=False)
    op.create_index(
        "ix_decisions_recheck",
        "decisions",
        ["recheck_at"],
        unique=False,
        sqlite_where=sa.text("current AND recheck_at IS NOT NULL"),
        postgresql_where=sa.text("current AND recheck_at IS NOT NULL"),
    )
    op.create_index(
        "uq_decisions_current",
        "decisions",
        ["number", "contact_id"],
        unique=True,
        sqlite_where=sa.text("current"),
        postgresql_where=sa.text("current"),
    )
    op.create_table(
        "dirty_calls",
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("call_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("stage", "call_id", name=op.f("pk_dirty_calls")),
        comment="calls the next stage has to read, marked in the transaction that changed them",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "dirty_contacts",
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("stage", "contact_id", name=op.f("pk_dirty_contacts")),
        comment="contacts the next stage has to look at, marked in the transaction that changed them",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "dirty_numbers",
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("stage", "number", name=op.f("pk_dirty_numbers")),
        comment="numbers the next stage has to look at, marked in the transaction that changed them",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "email_preferences",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("opted_out", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("checked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "email", name=op.f("pk_email_preferences")),
        comment="opt-outs of all e-mail, as the CRM's preferences say. Written by email_preferences",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "email_states",
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("service", sa.Text(), nullable=True),
        sa.Column("observed_at", sa.BigInteger(), nullable=True),
        sa.Column("wanted_at", sa.BigInteger(), nullable=False),
        sa.Column("look_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("email", name=op.f("pk_email_states")),
        comment="addresses that would be somebody's next channel, and what services said of them: good, risky, bad, null while nothing is known. Written by lookups",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "holds",
        sa.Column("contact_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("refused", sa.Text(), nullable=True),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("contact_id", "field", name=op.f("pk_holds")),
        comment="fields an undo put back: not written again until the decision's content changes or `ringtrue release`",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "inbox",
        sa.Column("inbox_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=True),
        sa.Column("object", sa.Text(), nullable=True),
        sa.Column("record_id", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("handled_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("inbox_id", name=op.f("pk_inbox")),
        sa.UniqueConstraint("source", "event_id", name=op.f("uq_inbox_source_event_id")),
        comment="what other systems told us, committed before it was acknowledged. Written by the entry service; `handled_at` by who handled it",
    )
    op.create_index("ix_inbox_received_at", "inbox", ["received_at"], unique=False)
    op.create_index(
        "ix_inbox_waiting",
        "inbox",
        ["source", "inbox_id"],
        unique=False,
        sqlite_where=sa.text("handled_at IS NULL"),
        postgresql_where=sa.text("handled_at IS NULL"),
    )
    op.create_table(
        "intents",
        sa.Column("intent_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("root_run", sa.Text(), nullable=False),
        sa.Column("run_over", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("lifetime_days", sa.Float(), nullable=False),
        sa.Column("job", sa.Text(), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("intent_id", name=op.f("pk_intents")),
        comment="one row for each question that was sent, committed before it left: open, answered, unknown. `current`: the last of its service, product and subject. Written by lookups",
    )
    op.create_index(
        "ix_intents_open",
        "intents",
        ["service"],
        unique=False,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index("ix_intents_subject", "intents", ["subject"], unique=False)
    op.create_index(
        "uq_intents_current",
        "intents",
        ["service", "product", "subject"],
        unique=True,
        sqlite_where=sa.text("current"),
        postgresql_where=sa.text("current"),
    )
    op.create_table(
        "lines",
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("line_type", sa.Text(), nullable=True),
        sa.Column("carrier", sa.Text(), nullable=True),
        sa.Column("ported", sa.Boolean(), nullable=True),
        sa.Column("listed", sa.Boolean(), nullable=True),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("observed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_lines")),
        comment="what services told of a line besides its life; `listed`: on a do-not-call list, says the service. Written by lookups",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "list_members",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("list", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "list", "record_id", name=op.f("pk_list_members")),
        comment="who is on the dialling lists named in the settings. Written by campaign_members and list_members, and by writeback",
        sqlite_with_rowid=False,
    )
    op.create_index("ix_list_members_record", "list_members", ["connection", "record_id"], unique=False)
    op.create_table(
        "lookup_dates",
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("look_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_lookup_dates")),
        comment="when a number is next looked at, whether asking it is worth its price. Written by lookups",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "meta",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_meta")),
        comment="facts about this ledger: which org each connection speaks to, fingerprint of the suppression key",
    )
    op.create_table(
        "observations",
        sa.Column("observation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column(
            "contact_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            server_default=sa.text("0"),
            nullable=False,
        ),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_group", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("trunk", sa.Text(), nullable=True),
        sa.Column("log_lr", sa.Float(), nullable=True),
        sa.Column("observed_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("void", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("cost", sa.Float(), server_default=sa.text("0"), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("observation_id", name=op.f("pk_observations")),
        sa.UniqueConstraint(
            "source",
            "external_id",
            "kind",
            "number",
            "contact_id",
            name=op.f("uq_observations_source_external_id_kind_number_contact_id"),
        ),
        comment="append-only evidence. Written by call_evidence, lookups and the entry service; contact_id 0: the number itself; `void`: its call was corrected or deleted at the source",
    )
    op.create_index("ix_observations_number", "observations", ["number"], unique=False)
    op.create_table(
        "phones",
        sa.Column("contact_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("e164", sa.Text(), nullable=True),
        sa.Column("extension", sa.Text(), nullable=True),
        sa.Column("valid", sa.Boolean(), nullable=False),
        sa.Column("sure", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("region", sa.Text(), nullable=True),
        sa.Column("type", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("contact_id", "field", "position", name=op.f("pk_phones")),
        comment="written by phones. `number` is the E.164, or ? and a hash of the text where there is none",
        sqlite_with_rowid=False,
    )
    op.create_index("ix_phones_number", "phones", ["number", "valid", "reason"], unique=False)
    op.create_table(
        "plans",
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("records", sa.BigInteger(), nullable=False),
        sa.Column("fields", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("approved_at", sa.BigInteger(), nullable=True),
        sa.Column("approved_hash", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("plan_id", name=op.f("pk_plans")),
        comment="written by <connection>/changes; approval by `ringtrue approve`",
    )
    op.create_index("ix_plans_connection", "plans", ["connection", "state"], unique=False)
    op.create_table(
        "privacy_requests",
        sa.Column("request_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("number_key", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_privacy_requests")),
        comment="append-only: every export and erasure, by the keyed hash of the number, with how many rows of each table. Written by `ringtrue export` and `forget`",
    )
    op.create_index("ix_privacy_requests_number_key", "privacy_requests", ["number_key"], unique=False)
    op.create_table(
        "registries",
        sa.Column("registry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("numbers", sa.BigInteger(), nullable=False),
        sa.Column("added", sa.BigInteger(), nullable=False),
        sa.Column("removed", sa.BigInteger(), nullable=False),
        sa.Column("area_codes", sa.Text(), nullable=False),
        sa.Column("san", sa.Text(), nullable=True),
        sa.Column("list_date", sa.BigInteger(), nullable=False),
        sa.Column("loaded_at", sa.BigInteger(), nullable=False),
        sa.Column("base", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("context", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("registry_id", name=op.f("pk_registries")),
        comment="every registry file that was taken or refused: state in_force, replaced, refused, withdrawn. Written by registries",
    )
    op.create_index("ix_registries_name", "registries", ["name", "sha256"], unique=False)
    op.create_table(
        "registry_blocks",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("members", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", "block", name=op.f("pk_registry_blocks")),
        comment="the numbers in force, 50,000 neighbours to a block. Written by registries",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "registry_listings",
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("registry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", "name", name=op.f("pk_registry_listings")),
        comment="numbers of ours that a registry in force lists. Written by suppressions",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "registry_parts",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("registry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("list_date", sa.BigInteger(), nullable=False),
        sa.Column("numbers", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "part", name=op.f("pk_registry_parts")),
        comment="which file is in force for which area code (empty: the whole registry). Written by registries",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rejects",
        sa.Column("reject_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("reject_id", name=op.f("pk_rejects")),
        sa.UniqueConstraint(
            "stage", "connection", "key", "reason", name=op.f("uq_rejects_stage_connection_key_reason")
        ),
        comment="rows that could not be used, and why. Written by the stage named in it",
    )
    op.create_table(
        "review",
        sa.Column("review_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("suggestion", sa.Text(), nullable=True),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("answered_by", sa.Text(), nullable=True),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("review_id", name=op.f("pk_review")),
        sa.UniqueConstraint("kind", "subject", name=op.f("uq_review_kind_subject")),
        comment="what no rule could read; a person answers once",
    )
    op.create_table(
        "scrubs",
        sa.Column("scrub_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("whole", sa.Boolean(), nullable=False),
        sa.Column("numbers", sa.BigInteger(), nullable=False),
        sa.Column("listed", sa.BigInteger(), nullable=False),
        sa.Column("newly_listed", sa.BigInteger(), nullable=False),
        sa.Column("delisted", sa.BigInteger(), nullable=False),
        sa.Column("registries", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("scrub_id", name=op.f("pk_scrubs")),
        comment="append-only proof of every scrub: which versions, how many numbers. Written by suppressions",
    )
    op.create_table(
        "source_arrivals",
        sa.Column("contact_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("raw", sa.Text(), nullable=True),
        sa.Column("e164", sa.Text(), nullable=True),
        sa.Column("verified_at", sa.BigInteger(), nullable=False),
        sa.Column("decision_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("charted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("contact_id", "number", name=op.f("pk_source_arrivals")),
        comment="what a number was found to be when first verified on arrival; it stays when the field is corrected or the contact deleted. Written by lead_source_quality",
        sqlite_with_rowid=False,
    )
    op.create_index("ix_source_arrivals_number", "source_arrivals", ["number"], unique=False)
    op.create_index(
        "ix_source_arrivals_open",
        "source_arrivals",
        ["contact_id"],
        unique=False,
        sqlite_where=sa.text("NOT charted"),
        postgresql_where=sa.text("NOT charted"),
    )
    op.create_table(
        "source_feedback",
        sa.Column("feedback_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("feedback_id", name=op.f("pk_source_feedback")),
        comment="journal of grades and alarms written to CRMs, {field: [before, after]}: sending, applied, failed. Written by <connection>/source_feedback",
    )
    op.create_index("ix_source_feedback_record", "source_feedback", ["record_id", "connection", "object"], unique=False)
    op.create_index(
        "ix_source_feedback_sending",
        "source_feedback",
        ["connection"],
        unique=False,
        sqlite_where=sa.text("state = 'sending'"),
        postgresql_where=sa.text("state = 'sending'"),
    )
    op.create_table(
        "source_quality",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("measured_at", sa.BigInteger(), nullable=False),
        sa.Column("grade", sa.Text(), nullable=False),
        sa.Column("figures", sa.Text(), nullable=False),
        sa.Column("faults", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("source", "day", name=op.f("pk_source_quality")),
        comment="each source's figures, one row a day. Written by lead_source_quality",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "source_states",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("alarm", sa.Text(), nullable=False),
        sa.Column("grade", sa.Text(), server_default="", nullable=False),
        sa.Column("fell_at", sa.BigInteger(), nullable=True),
        sa.Column("accepted_by", sa.Text(), nullable=True),
        sa.Column("accepted_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_source_states")),
        comment="each source's change alarm, and the grade it is held to. Written by lead_source_quality and `ringtrue sources accept`",
    )
    op.create_table(
        "spend",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("asked", sa.BigInteger(), nullable=False),
        sa.Column("answered", sa.BigInteger(), nullable=False),
        sa.Column("abstained", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("lost", sa.BigInteger(), nullable=False),
        sa.Column("disagreed", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("service", "period", name=op.f("pk_spend")),
        comment="each service's questions and money by period: a run, a day 2026-11-24, a month 2026-11 (UTC). Written by lookups",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "suppressions",
        sa.Column(
            "event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("number_key", sa.Text(), nullable=True),
        sa.Column("contact_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("second_person", sa.Text(), nullable=True),
        sa.Column("lifts", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("previous_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_suppressions")),
        sa.UniqueConstraint(
            "source",
            "cause",
            "kind",
            "scope",
            "number_key",
            "contact_id",
            name=op.f("uq_suppressions_source_cause_kind_scope_number_key_contact_id"),
        ),
        comment="append-only, hash-chained, the only store of permission. Written by suppressions and `ringtrue suppress`",
    )
    op.create_index("ix_suppressions_contact", "suppressions", ["contact_id"], unique=False)
    op.create_index(
        "ix_suppressions_erased",
        "suppressions",
        ["number_key"],
        unique=False,
        sqlite_where=sa.text("number IS NULL AND scope = 'number'"),
        postgresql_where=sa.text("number IS NULL AND scope = 'number'"),
    )
    op.create_index("ix_suppressions_lifts", "suppressions", ["lifts"], unique=False)
    op.create_index(
        "ix_suppressions_number",
        "suppressions",
        ["number"],
        unique=False,
        sqlite_where=sa.text("number IS NOT NULL"),
        postgresql_where=sa.text("number IS NOT NULL"),
    )
    op.create_index("ix_suppressions_number_key", "suppressions", ["number_key"], unique=False)
    op.create_table(
        "syncs",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("last_pull_at", sa.BigInteger(), nullable=True),
        sa.Column("last_full_at", sa.BigInteger(), nullable=True),
        sa.Column("last_reconcile_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("connection", "object", name=op.f("pk_syncs")),
        comment="written by the pulls, in the transaction that stores the batch",
    )


def downgrade() -> None:
    op.drop_table("syncs")
    op.drop_table("suppressions")
    op.drop_table("spend")
    op.drop_table("source_states")
    op.drop_table("source_quality")
    op.drop_table("source_feedback")
    op.drop_table("source_arrivals")
    op.drop_table("scrubs")
    op.drop_table("review")
    op.drop_table("rejects")
    op.drop_table("registry_parts")
    op.drop_table("registry_listings")
    op.drop_table("registry_blocks")
    op.drop_table("registries")
    op.drop_table("privacy_requests")
    op.drop_table("plans")
    op.drop_table("phones")
    op.drop_table("observations")
    op.drop_table("meta")
    op.drop_table("lookup_dates")
    op.drop_table("list_members")
    op.drop_table("lines")
    op.drop_table("intents")
    op.drop_table("inbox")
    op.drop_table("holds")
    op.drop_table("email_states")
    op.drop_table("email_preferences")
    op.drop_table("dirty_numbers")
    op.drop_table("dirty_contacts")
    op.drop_table("dirty_calls")
    op.drop_table("decisions")
    op.drop_table("contacts")
    op.drop_table("contact_sources")
    op.drop_table("consents")
    op.drop_table("changes")
    op.drop_table("calls")
