"""The tables of all stages: what each column holds and what it is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ringtrue.source_quality import QUALITY_COLUMNS


@dataclass(frozen=True)
class Made:
    """A column: what it holds, and the (stage, column) pairs it is made from. `PULLS`, `OWN` and `SOURCES` stand for stages that depend on the settings.

    `masking`: the original value cannot be read from it.
    """

    holds: str
    of: tuple[tuple[str, str], ...] = ()
    masking: bool = False
    type: str = "string"


@dataclass(frozen=True)
class Table:
    """A stage's table. `rows` names the metadata entry that counts the rows a run wrote."""

    columns: Mapping[str, Made] = field(default_factory=dict)
    rows: str = ""


PULLS: Final = "<pulls>"
"""Stands for the contacts of every connection."""
CALLS: Final = "<calls>"
"""Stands for the call history of every CRM."""
OWN: Final = "<own>"
"""Stands for the connection of the stage itself."""
OWN_CHANGES: Final = "<own changes>"
SOURCES: Final = "<sources>"
"""Stands for every lead source."""

_PHONES = (PULLS, "phones")
_STATUS = ("status", "status")
_OUTCOME = ("call_evidence", "outcome")
_LOOKUP = ("lookups", "result")
_REGISTRY = ("registries", "name")

TABLES: Final[dict[str, Table]] = {
    "lead_source": Table(
        {
            "origin": Made("what a CRM or a file says of where a contact came from"),
            "leads": Made("contacts it brought", type="integer"),
            "numbers": Made("numbers on them", type="integer"),
        }
    ),
    "contacts": Table(
        {
            "contact_id": Made("the record in the ledger", type="integer"),
            "record_id": Made("its id in the CRM, or a hash of the file's row"),
            "phones": Made("phone fields as typed", type="json"),
            "ours": Made("fields of ours as last seen", type="json"),
            "first_source": Made("where the lead came from, as first seen", ((SOURCES, "origin"),), type="json"),
            "source": Made("where it says it comes from today", ((SOURCES, "origin"),), type="json"),
            "email": Made("e-mail address"),
            "do_not_call": Made("a do-not-call flag is set", type="boolean"),
            "created_at": Made("when the CRM made the record", type="timestamp"),
            "modified_at": Made("last change in the CRM", type="timestamp"),
        },
        rows="records read",
    ),
    "phones": Table(
        {
            "contact_id": Made("the contact", ((PULLS, "contact_id"),), type="integer"),
            "field": Made("API name of the field", (_PHONES,)),
            "position": Made("which number of the field", (_PHONES,), type="integer"),
            "raw": Made("what was typed", (_PHONES,)),
            "number": Made("E.164, or a key for text that holds none", (_PHONES,)),
            "e164": Made("E.164", (_PHONES,)),
            "extension": Made("extension", (_PHONES,)),
            "valid": Made("in a range that is assigned", (_PHONES,), type="boolean"),
            "sure": Made("read without guessing", (_PHONES,), type="boolean"),
            "reason": Made("why it is not valid", (_PHONES,)),
            "region": Made("country of the number", (_PHONES,)),
            "type": Made("line type by its range", (_PHONES,)),
        },
        rows="numbers",
    ),
    "calls": Table(
        {
            "external_id": Made("id of the call in the CRM"),
            "records": Made("the people called", ((OWN, "record_id"),), type="json"),
            "number": Made("the number dialled, where the CRM keeps it", ((OWN, "phones"),)),
            "outcome": Made("the outcome as the CRM stores it"),
            "duration_seconds": Made("length of the call", type="double"),
            "started_at": Made("when it began", type="timestamp"),
        },
        rows="calls read",
    ),
    "call_evidence": Table(
        {
            "number": Made("the number dialled", ((CALLS, "number"), (CALLS, "records"), ("phones", "number"))),
            "contact_id": Made("the person called, 0 where nobody is known", ((CALLS, "records"),), type="integer"),
            "outcome": Made(
                "what the call says, in the words of the evidence vocabulary",
                ((CALLS, "outcome"), (CALLS, "duration_seconds")),
            ),
            "trunk": Made("the line it went out on"),
            "observed_at": Made("when", ((CALLS, "started_at"),), type="timestamp"),
        },
        rows="observations",
    ),
    "registries": Table(
        {
            "name": Made("the registry in the settings"),
            "part": Made("area code, or empty for the whole registry"),
            "sha256": Made("of the file as downloaded", masking=True),
            "numbers": Made("how many it lists", type="integer"),
            "list_date": Made("how current it is", type="date"),
            "state": Made("in_force, replaced, refused or withdrawn"),
        }
    ),
    "lookups": Table(
        {
            "service": Made("who was asked"),
            "product": Made("what was bought"),
            "subject": Made("number or e-mail address", (("phones", "number"), (PULLS, "email"))),
            "kind": Made("validity, line_type, line_status, reassigned, email"),
            "state": Made("open, answered, unknown"),
            "result": Made("answered, abstain, error", (("phones", "number"), (PULLS, "email"))),
            "cost": Made("millionths of the currency", type="integer"),
        }
    ),
    "source_feedback": Table(
        {
            "record_id": Made("the campaign or contact that is told", ((OWN, "record_id"),)),
            "fields": Made(
                "grade and alarm: before and after",
                (("lead_source_quality", "grade"), ("lead_source_quality", "source")),
                type="json",
            ),
            "state": Made("sending, applied, failed"),
        },
        rows="applied",
    ),
    "dialing_list": Table(
        {
            "number": Made("the number to call, or that may not be called", (("status", "number"),)),
            "call_before": Made("until when the list holds for it", (("status", "number"),), type="timestamp"),
            "cause": Made("why it may not be called", (_STATUS, ("suppressions", "number_key"))),
            "why": Made("the same in a sentence", (_STATUS, ("suppressions", "source"))),
        }
    ),
    "review_queue": Table(
        {
            "kind": Made("what is asked: a number, a word, a switchboard"),
            "text": Made("what no rule could read", (("phones", "raw"), (CALLS, "outcome"), ("opt_outs", "number"))),
            "suggestion": Made("what it might mean", (("phones", "raw"),)),
            "count": Made("how often it was met", type="integer"),
            "answer": Made("what a person said"),
        },
        rows="waiting",
    ),
    "opt_outs": Table(
        {
            "contact_id": Made("who said stop", ((PULLS, "do_not_call"), (PULLS, "contact_id")), type="integer"),
            "number": Made("the numbers it covers", (("phones", "number"), (PULLS, "do_not_call"))),
        },
        rows="suppressions added",
    ),
    "suppressions": Table(
        {
            "event_id": Made("place in the chain", type="integer"),
            "kind": Made("opt_out, retract or reconsent", (("opt_outs", "contact_id"),)),
            "scope": Made("the number everywhere, or the person", (("opt_outs", "number"),)),
            "number_key": Made("keyed hash of the number", (("opt_outs", "number"),), masking=True),
            "source": Made("where it was said", (("opt_outs", "contact_id"), _REGISTRY)),
            "hash": Made("hash over this event and the one before", (("opt_outs", "number"),), masking=True),
        },
        rows="events",
    ),
    "status": Table(
        {
            "number": Made("E.164, or the key of a text that holds none", (("phones", "number"),)),
            "contact_id": Made("0, or the contact a fact is about", (("phones", "contact_id"),), type="integer"),
            "status": Made(
                "the displayed status",
                (("phones", "valid"), ("phones", "reason"), _OUTCOME, _LOOKUP, ("suppressions", "number_key")),
            ),
            "line": Made(
                "alive, suspended, disconnected, nonexistent, unknown", (("phones", "valid"), ("phones", "reason"))
            ),
            "reach": Made("reached, voicemail, persistent_no_answer, unknown", (_OUTCOME,)),
            "identity": Made("right, wrong, unknown", (_OUTCOME, _LOOKUP)),
            "permission": Made("ok, do_not_call", (("suppressions", "number_key"),)),
            "confidence": Made("how sure, 0 to 1", (("phones", "valid"),), type="double"),
            "reason": Made("one sentence for a sales person", (("phones", "reason"), ("suppressions", "source"))),
            "evidence": Made(
                "what it rests on", (("phones", "reason"), _OUTCOME, _LOOKUP, ("suppressions", "event_id")), type="json"
            ),
            "recheck_at": Made("when it is looked at again", type="timestamp"),
        },
        rows="numbers",
    ),
    "lead_source_quality": Table(
        {
            name: Made(
                text or "see the column before",
                ((PULLS, "first_source"),)
                if name in ("source", "label", "group", "leads")
                else ((PULLS, "first_source"), (PULLS, "created_at"), ("phones", "reason"), _STATUS),
                type="string" if name in ("source", "label", "group", "grade") else "double",
            )
            for name, text in QUALITY_COLUMNS.items()
        },
        rows="sources",
    ),
    "report": Table(
        {
            "page": Made(
                "the report, one HTML file", (("lead_source_quality", "bad_share"), ("lead_source_quality", "grade"))
            )
        }
    ),
    "changes": Table(
        {
            "record_id": Made("the record in the CRM", ((OWN, "record_id"),)),
            "fields": Made(
                "field: before and after",
                (_STATUS, ("status", "reason"), ("phones", "e164"), (OWN, "ours")),
                type="json",
            ),
            "guarded": Made(
                "people edit one of the fields: it is read before it is written", (_STATUS,), type="boolean"
            ),
            "decisions": Made("the decisions it rests on", (_STATUS,), type="json"),
            "state": Made("planned, sending, applied, failed, conflict, skipped, superseded, reverted"),
        },
        rows="changes",
    ),
    "do_not_call": Table(
        {
            "record_id": Made("the record in the CRM", ((OWN, "record_id"),)),
            "fields": Made(
                "the flag and the record's status: before and after",
                (("suppressions", "number_key"), ("suppressions", "scope"), (OWN, "ours")),
                type="json",
            ),
            "state": Made("applied, failed, conflict, skipped"),
        },
        rows="applied",
    ),
    "fresh_contacts": Table(
        {
            "record_id": Made("the record that the CRM told us about"),
            "fields": Made("what was written to it: before and after", (_STATUS, ("status", "reason")), type="json"),
            "state": Made("applied, failed, conflict, skipped"),
        },
        rows="applied",
    ),
    "writeback": Table(
        {
            "record_id": Made("the record in the CRM", ((OWN_CHANGES, "record_id"),)),
            "fields": Made("what the CRM holds now", ((OWN_CHANGES, "fields"),), type="json"),
            "state": Made("applied, failed, conflict, skipped", ((OWN_CHANGES, "state"),)),
        },
        rows="applied",
    ),
}
