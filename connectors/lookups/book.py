"""The ledger as the desk's book: every method is one committed transaction, and an answer's evidence is written in the one that settles it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import orjson

from connectors.lookups.evidence import (
    answer_of,
    line_fact,
    milliseconds,
    observation,
    question_of,
    question_record,
)
from connectors.lookups.protocol import Answer, Offer, Question
from connectors.lookups.spend import Declined, Intent
from ringtrue.ledger import Ledger, dirty, emails, lookups, review, spend
from ringtrue.ledger.emails import EmailAnswer
from ringtrue.ledger.spend import MILLIONTHS
from ringtrue.lookup_settings import Budget

REVIEW_KIND = "lookup_word"


def millionths(amount: Decimal) -> int:
    """Money as the ledger counts it."""
    return int((amount * MILLIONTHS).to_integral_value())


class LedgerBook:
    """A `SpendBook` over the ledger. `groups` names the database behind a service where it is not the service's own.

    `root_run` is the run a person started: its budget holds for retries too. `heard` is called, after the commit, with the numbers that answers concern.
    """

    def __init__(
        self,
        ledger: Ledger,
        run: str,
        *,
        root_run: str | None = None,
        lease: timedelta = timedelta(minutes=30),
        groups: Mapping[str, str] | None = None,
        heard: Callable[[Sequence[str]], None] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ledger, self._run, self._root_run = ledger, run, root_run or run
        self._lease, self._groups, self._clock = lease, dict(groups or {}), clock
        self._heard = heard

    def _now(self) -> int:
        return milliseconds(self._clock())

    def reserve(
        self, service: str, offer: Offer, questions: Sequence[Question], budget: Budget
    ) -> list[Intent | Declined]:
        """See `SpendBook.reserve`."""
        product = spend.Product(service, offer.product, millionths(offer.price), offer.currency, offer.lifetime_days)
        limits = spend.Limits(
            *(None if limit is None else millionths(limit) for limit in (budget.run, budget.day, budget.month))
        )
        asking = [spend.Asking(question.subject, question.kind, question_record(question)) for question in questions]
        with self._ledger.write() as connection:
            decided = spend.reserve(
                connection,
                product,
                asking,
                limits,
                key=self._ledger.key,
                run=self._run,
                root_run=self._root_run,
                now=self._now(),
            )
        return [
            self._intent(each, question)
            if isinstance(each, spend.Open)
            else Declined(question, each.why, answer_of(question, each.answer) if each.answer else None)
            for each, question in zip(decided, questions, strict=True)
        ]

    def note_job(self, intents: Sequence[Intent], job_id: str) -> list[Intent]:
        """See `SpendBook.note_job`."""
        with self._ledger.write() as connection:
            spend.note_job(connection, [int(intent.id) for intent in intents], job_id)
        return [replace(intent, job_id=job_id) for intent in intents]

    def settle(self, answers: Sequence[tuple[Intent, Answer]]) -> None:
        """See `SpendBook.settle`. Numbers with new evidence are marked for `status`, words no table knows go to `review`."""
        now = self._now()
        with self._ledger.write() as connection:
            closed = spend.settle(
                connection,
                [
                    spend.Settled(
                        int(intent.id),
                        answer.result,
                        millionths(answer.cost),
                        orjson.dumps(answer.as_record()).decode(),
                    )
                    for intent, answer in answers
                ],
                now,
            )
            fresh = [(intent, answer) for intent, answer in answers if int(intent.id) in closed]
            seen = [
                told
                for intent, answer in fresh
                if (told := observation(answer, intent.id, self._groups.get(answer.service, answer.service)))
            ]
            lookups.add_observations(connection, seen, self._run, now)
            facts = [fact for _, answer in fresh if (fact := line_fact(answer))]
            lookups.store_lines(connection, facts)
            # The kind of line says how fast it goes stale: a decision rests on it too.
            news = {told.number for told in seen if told.outcome != "lookup_abstained"}
            news |= {fact.number for fact in facts if fact.line_type is not None}
            dirty.mark_numbers(connection, lookups.STAGE, news)
            emails.store(
                connection,
                [
                    EmailAnswer(
                        answer.question.subject,
                        answer.email_state if answer.email_state != "unknown" else None,
                        answer.service,
                        milliseconds(answer.observed_at),
                    )
                    for _, answer in fresh
                    if answer.question.kind == "email" and answer.result == "answered"
                ],
                now,
            )
            review.add(
                connection,
                REVIEW_KIND,
                [
                    (f"{answer.service}: {word.field} {word.word}", None)
                    for _, answer in fresh
                    for word in answer.review
                ],
                now,
            )
        if self._heard is not None and seen:
            self._heard([told.number for told in seen])

    def unknown(self, intents: Sequence[Intent], reason: str) -> None:
        """See `SpendBook.unknown`."""
        with self._ledger.write() as connection:
            spend.lose(connection, [int(intent.id) for intent in intents], reason, self._now())

    def release(self, intents: Sequence[Intent]) -> None:
        """See `SpendBook.release`."""
        with self._ledger.write() as connection:
            spend.release(connection, [int(intent.id) for intent in intents])

    def left_open(self, service: str) -> list[Intent]:
        """See `SpendBook.left_open`."""
        before = milliseconds(self._clock() - self._lease)
        with self._ledger.read() as connection:
            left = spend.left_open(connection, service, self._run, before)
        return [self.intent_of(each) for each in left]

    def end_run(self) -> None:
        """See `SpendBook.end_run`."""
        with self._ledger.write() as connection:
            spend.end_run(connection, self._run)

    def jobs(self, service: str) -> dict[str, list[Intent]]:
        """A service's jobs that wait for their answers, by job id, oldest first."""
        with self._ledger.read() as connection:
            found = spend.open_jobs(connection, service)
        return {job: [self.intent_of(each) for each in rows] for job, rows in found.items()}

    def intent_of(self, row: spend.Open) -> Intent:
        """An intent as the ledger holds it."""
        return self._intent(row, question_of(row.subject, row.kind, row.question))

    def _intent(self, row: spend.Open, question: Question) -> Intent:
        return Intent(
            str(row.intent_id),
            row.run,
            row.service,
            row.product,
            question,
            Decimal(row.cost) / MILLIONTHS,
            row.currency,
            datetime.fromtimestamp(row.created_at / 1000, UTC),
            row.lifetime_days,
            row.job,
        )
