"""Fields that people edit are looked at just before they are written, and once more afterwards where the CRM keeps history."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connectors.crm import Crm
from ringtrue.fields import OwnFields
from ringtrue.ledger.ahead import STANDS
from ringtrue.ledger.journal import Change, Fields, State
from ringtrue.values import same

HISTORY_BATCH = 50
CLOCK_SKEW = timedelta(minutes=5)


@dataclass
class Guarded:
    """A batch after the look: what may still be sent, what ended here, and when each record was last modified."""

    changes: list[Change] = field(default_factory=list)
    ended: list[tuple[State, str | None, int]] = field(default_factory=list)
    split: list[tuple[Change, Fields, State, str]] = field(default_factory=list)
    modified: dict[str, datetime] = field(default_factory=dict)


def guarded_names(own: OwnFields, change: Change) -> list[str]:
    """Fields of a change that people edit: phone fields, and a do-not-call flag that is not of our making.

    An undo writes a value back only where the record still holds ours, so all its fields are looked at.
    """
    if change.undoes is not None:
        return list(change.fields)
    return [
        name
        for name in change.fields
        if name in own.phone_status or (name == own.do_not_call and not own.do_not_call_is_ours)
    ]


def guard(crm: Crm, own: OwnFields, object_name: str, batch: Sequence[Change]) -> Guarded:
    """Read the guarded fields of a batch and keep back what a person edited since it was planned.

    A field that holds our value already is done; one that holds something else is a conflict of that field alone.
    """
    watched = [guarded_names(own, change) for change in batch]
    names = sorted({name for each in watched for name in each})
    present = {}
    ids = [change.record_id for change in batch]
    for start in range(0, len(ids), crm.read_size):
        present.update(crm.read(object_name, ids[start : start + crm.read_size], names))
    result = Guarded()
    for change, guarded in zip(batch, watched, strict=True):
        record = present.get(change.record_id)
        if record is None or record.deleted:
            result.ended.append(("skipped", "the record was deleted or merged away", change.change_id))
            continue
        result.modified[change.record_id] = record.modified_at
        done: Fields = {}
        edited: Fields = {}
        for name in guarded:
            before, after = change.fields[name]
            seen = record.values.get(name)
            if same(seen, before):
                continue
            (done if same(seen, after) else edited)[name] = change.fields[name]
        for fields, state, error in (
            (done, "superseded", STANDS),
            (edited, "conflict", "a person edited the field since it was planned"),
        ):
            if not fields:
                continue
            end: State = "superseded" if state == "superseded" else "conflict"
            if len(fields) == len(change.fields):
                result.ended.append((end, error, change.change_id))
            else:
                result.split.append((change, fields, end, error))
            change = change._replace(fields={name: pair for name, pair in change.fields.items() if name not in fields})
        if change.fields:
            result.changes.append(change)
    return result


def find_slipped_edits(
    crm: Crm, own: OwnFields, object_name: str, rows: Sequence[Change], watched: Guarded
) -> list[tuple[Change, Fields]]:
    """Edits that a person made between our look and our write, found in the field history, as changes that restore them."""
    looked_for = [guarded_names(own, change) for change in rows]
    names = sorted({name for each in looked_for for name in each})
    slipped: list[tuple[Change, Fields]] = []
    for start in range(0, len(rows), HISTORY_BATCH):
        part = rows[start : start + HISTORY_BATCH]
        histories = crm.history(object_name, [change.record_id for change in part], names)
        for change, guarded in zip(part, looked_for[start : start + HISTORY_BATCH], strict=True):
            restore: Fields = {}
            for name in guarded:
                before, after = change.fields[name]
                versions = histories.get(change.record_id, {}).get(name, [])
                if len(versions) < 2 or not same(versions[0].value, after):
                    continue
                replaced = versions[1]
                looked_at = watched.modified[change.record_id] - CLOCK_SKEW
                if not replaced.ours and not same(replaced.value, before) and replaced.at >= looked_at:
                    restore[name] = [after, replaced.value]
            if restore:
                slipped.append((change, restore))
    return slipped
