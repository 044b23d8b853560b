"""Calls become evidence of the number dialled, opt-outs of the person, and questions where no rule can read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from assets.call_evidence import read_calls
from ringtrue.ledger.calls import Callee, CallRow
from ringtrue.settings import Connection, Settings

NOW = datetime(2026, 11, 24, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
MOBILE, LANDLINE = "+447400123456", "+441212345678"
SETTINGS = Settings(connections={"hubspot": Connection(kind="hubspot", default_region="GB")})
ONE = {("hubspot", "1"): Callee(11, "United Kingdom", (MOBILE,))}
TWO = {("hubspot", "1"): Callee(11, "United Kingdom", (MOBILE, LANDLINE))}


def call(**changes: object) -> CallRow:
    plain = CallRow(
        call_id=1, connection="hubspot", external_id="c1", namespace="hubspot", records=["1"], number=None,
        outcome=None, label="No answer", status=None, cause=None, direction="outbound", duration_seconds=None, notes=None,
        trunk=None, started_at=NOW_MS - 86_400_000, deleted=False,
    )  # fmt: skip
    return plain._replace(**changes)  # type: ignore[arg-type]


def test_the_number_dialled_counts_not_the_contacts_other_numbers() -> None:
    read = read_calls([call(number="07400 123456")], TWO, {}, SETTINGS, NOW_MS)
    assert [(seen.number, seen.contact_id, seen.outcome) for seen in read.seen] == [(MOBILE, 11, "no_answer")]


def test_without_a_number_the_only_number_counts_and_of_several_none() -> None:
    assert [seen.number for seen in read_calls([call()], ONE, {}, SETTINGS, NOW_MS).seen] == [MOBILE]
    several = read_calls([call()], TWO, {}, SETTINGS, NOW_MS)
    assert several.seen == []
    assert several.without_number == 1


def test_an_unknown_outcome_is_asked_and_never_guessed_and_an_answer_holds() -> None:
    odd = call(label="Zorbled")
    read = read_calls([odd], ONE, {}, SETTINGS, NOW_MS)
    assert read.seen == []
    assert read.unknown == [("hubspot: Zorbled", None)]
    answered = read_calls([odd], ONE, {("hubspot", "zorbled"): "voicemail"}, SETTINGS, NOW_MS)
    assert [seen.outcome for seen in answered.seen] == ["voicemail"]


def test_stop_words_in_notes_opt_the_person_out_and_unsure_ones_are_asked() -> None:
    read = read_calls(
        [call(notes="She said: please stop calling me, remove me from your list.")], TWO, {}, SETTINGS, NOW_MS
    )
    assert [(event.scope, event.contact_id, event.kind) for event in read.opt_outs] == [("person", 11, "opt_out")]
    assert MOBILE not in read.opt_outs[0].evidence


def test_a_call_with_an_impossible_date_is_rejected_with_its_reason() -> None:
    future = NOW + timedelta(days=400)
    batch = [
        call(started_at=int(future.timestamp() * 1000)),
        call(external_id="c2", started_at=0),
        call(external_id="c3", started_at=None),
    ]
    read = read_calls(batch, ONE, {}, SETTINGS, NOW_MS)
    assert read.seen == []
    assert len(read.rejected) == 3


def test_a_deleted_call_says_nothing() -> None:
    assert read_calls([call(deleted=True)], ONE, {}, SETTINGS, NOW_MS).seen == []
