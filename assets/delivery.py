"""Carries a plan out. The journal is written first, then the CRM; whatever a crash leaves half done is settled by reading.

Boundaries at which a run may be killed: before a batch is sent, received by the CRM, answered, committed. At each of them the journal
says `sending`, and `settle` finds out by reading the records whether the batch arrived.
"""

import logging
import random
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import Connection

from assets.guarding import Guarded, find_slipped_edits, guard
from assets.stage import now_ms
from connectors.crm import Crm
from ringtrue.errors import ConnectionLost, RecordGone, ServiceUnavailable
from ringtrue.fields import OwnFields
from ringtrue.ledger import Ledger, ahead, dirty, journal, phones, undo
from ringtrue.ledger.journal import Change, Planned, State
from ringtrue.ledger.list_members import remember
from ringtrue.list_objects import is_list
from ringtrue.records import RecordWrite, RowResult
from ringtrue.values import same

log = logging.getLogger("connectors.delivery")
T = TypeVar("T")

MOST_PASSES = 5
"""How often a row that was locked or turned away is sent in one run before it counts as failed."""
FEW_GUARDED = 50
"""Up to this many guarded records are written one by one on a CRM with conditional writes."""
JOB_ROWS = 50_000
SETTLE_ROWS = 2_000


def in_batches(rows: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Cut rows into batches of at most `size`."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


@dataclass
class Delivery:
    """One connection's write-back in one run."""

    ledger: Ledger
    crm: Crm
    name: str
    own: Mapping[str, OwnFields]
    run: str
    root_run: str
    bulk_from: int
    totals: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    read_at: int = 0
    """When the changes at hand were read from the journal, in milliseconds since 1970."""
    windows_ms: list[int] = field(default_factory=list)
    """Per guarded batch: milliseconds between looking at the fields and having written them."""

    def settle(self) -> int:
        """Find out what became of changes that a crash left between sent and answered. Returns how many there were.

        An undo that was interrupted ends here: what it put back is held, the rest waits for `ringtrue undo` again.
        """
        count = 0
        while left := self._sending():
            count += len(left)
            jobs = {change.job for change in left if change.job}
            for job in sorted(jobs):
                self._settle_job(job)
            self._settle_by_reading([change for change in left if not change.job])
        with self.ledger.write() as book:
            ended = [undo.finish(book, plan_id, run, now_ms()) for plan_id, run in undo.interrupted(book, self.name)]
        # What becomes of this run's own changes is counted from here on.
        self.totals = Counter({"settled after a crash": count, "put back": sum(ends["applied"] for ends in ended)})
        self.errors.clear()
        return count

    def _sending(self) -> list[Change]:
        with self.ledger.read() as book:
            return journal.sending(book, self.name, SETTLE_ROWS)

    def _next(
        self, plan_id: str, object_name: str, *, guarded: bool, after: int, limit: int, only: str | None
    ) -> list[Change]:
        """The next changes to send, behind a change id."""
        self.read_at = now_ms()
        with self.ledger.read() as book:
            return journal.planned(
                book, self.name, plan_id, object_name, guarded=guarded, after=after, limit=limit, only=only
            )

    def _start(self, rows: Sequence[Change], job: str | None) -> list[Change]:
        """Note that changes are about to be sent. Returns those that still are to be: a delivery ahead of the sync may have taken fields out.

        A record that it is writing to at this moment stays planned for the next run.
        """
        with self.ledger.write() as book:
            rows = ahead.still_to_send(book, self.name, rows, self.read_at)
            return self._note_start(book, rows, job)

    def _note_start(self, book: Connection, rows: Sequence[Change], job: str | None) -> list[Change]:
        return journal.start(
            book, rows, batch=secrets.token_hex(6), job=job, run=self.run, root_run=self.root_run, now=now_ms()
        )

    def _settle_job(self, job: str) -> None:
        with self.ledger.read() as book:
            changes = journal.of_job(book, self.name, job)
        try:
            state = self.crm.bulk_state(job)
        except RecordGone:
            # The CRM forgets jobs after some days; the records still tell.
            self._settle_by_reading(changes)
            return
        if state.state == "open":
            self.crm.bulk_abort(job)
            with self.ledger.write() as book:
                journal.back_to_plan(book, self.name, changes, None, now_ms())
            return
        if state.state == "running":
            self.crm.bulk_wait(job)
        self._take_job_results(job, changes)

    def _settle_by_reading(self, changes: Sequence[Change]) -> int:
        """Read the records to see which changes arrived. Returns how many did not and are to be sent again."""
        left = 0
        by_object: dict[str, list[Change]] = {}
        for change in changes:
            by_object.setdefault(change.object_name, []).append(change)
        for object_name, rows in by_object.items():
            for batch in in_batches(rows, self.crm.read_size):
                names = sorted({name for change in batch for name in change.fields})
                present = self.crm.read(object_name, [change.record_id for change in batch], names)
                results: list[tuple[State, str | None, int]] = []
                again: list[Change] = []
                arrived: list[Change] = []
                for change in batch:
                    record = present.get(change.record_id)
                    if record is None or record.deleted:
                        results.append(("skipped", "the record was deleted or merged away", change.change_id))
                        continue
                    values = record.values
                    if all(same(values.get(name), pair[1]) for name, pair in change.fields.items()):
                        results.append(("applied", None, change.change_id))
                        arrived.append(change)
                    elif all(same(values.get(name), pair[0]) for name, pair in change.fields.items()):
                        again.append(change)
                    else:
                        results.append(
                            ("conflict", "the record was edited while a write was interrupted", change.change_id)
                        )
                with self.ledger.write() as book:
                    journal.finish(book, results, now_ms())
                    journal.back_to_plan(book, self.name, again, "an interrupted write had not arrived", now_ms())
                    self._remember(book, object_name, arrived)
                for state, _, _ in results:
                    self.totals[state] += 1
                self.totals["sent"] -= len(again)
                left += len(again)
                guarded = [change for change in arrived if change.guarded]
                if guarded and self.crm.keeps_history:
                    sent_at = {
                        change.record_id: datetime.fromtimestamp(change.changed_at / 1000, UTC) for change in guarded
                    }
                    left += self._restore_slipped_edits(object_name, guarded, Guarded(modified=sent_at))
        return left

    def deliver(self, plan_id: str, *, limit: int | None = None, only: str | None = None) -> None:
        """Send a plan's changes: guarded ones first (do-not-call is among them), then the rest.

        `limit` sends that many records and leaves the others planned; `only` names one record.
        """
        left = limit
        for turn in range(MOST_PASSES):
            last = turn == MOST_PASSES - 1
            retry = 0
            with self.ledger.read() as book:
                waiting = journal.count_planned(book, self.name, plan_id)
            for (object_name, guarded), count in sorted(waiting.items(), key=lambda item: (not item[0][1], item[0][0])):
                small = left is not None or only is not None
                if (
                    not guarded
                    and self.crm.has_bulk
                    and count >= self.bulk_from
                    and not small
                    and not is_list(object_name)
                ):
                    retry += self._deliver_by_jobs(plan_id, object_name, last)
                else:
                    one_by_one = (
                        guarded
                        and self.crm.conditional_writes
                        and count <= FEW_GUARDED
                        and turn == 0
                        and not is_list(object_name)
                    )
                    sent, again = self._deliver_by_batches(
                        plan_id, object_name, guarded, last, limit=left, only=only, one_by_one=one_by_one
                    )
                    retry += again
                    left = None if left is None else left - sent
                if left is not None and left <= 0:
                    return
            if not retry:
                return
            # Jitter keeps two runs that met at a locked row from meeting there again.
            time.sleep(random.uniform(0.25, 0.75) * 2**turn)  # noqa: S311 no secret hangs on it

    def _deliver_by_batches(
        self,
        plan_id: str,
        object_name: str,
        guarded: bool,
        last: bool,
        *,
        limit: int | None,
        only: str | None,
        one_by_one: bool,
    ) -> tuple[int, int]:
        after = 0
        sent = again = 0
        while limit is None or sent < limit:
            size = self.crm.collection_size if limit is None else min(self.crm.collection_size, limit - sent)
            batch = self._next(plan_id, object_name, guarded=guarded, after=after, limit=size, only=only)
            if not batch:
                break
            after = batch[-1].change_id
            batch = list({change.record_id: change for change in reversed(batch)}.values())[::-1]
            looked_at = now_ms()
            watched = self._guard(plan_id, object_name, batch) if guarded else None
            rows = watched.changes if watched else batch
            if rows:
                again += self._send(object_name, rows, last, watched if one_by_one else None)
                sent += len(rows)
            if watched:
                self.windows_ms.append(now_ms() - looked_at)
                if rows and self.crm.keeps_history:
                    again += self._restore_slipped_edits(object_name, rows, watched)
        return sent, again

    def _send(self, object_name: str, rows: Sequence[Change], last: bool, watched: Guarded | None) -> int:
        rows = self._start(rows, None)
        if not rows:
            return 0
        self.totals["sent"] += len(rows)
        writes = [RecordWrite(change.record_id, change.after(), change.parent) for change in rows]
        try:
            if watched is not None:
                results = [
                    self.crm.write_if_unmodified(object_name, write, watched.modified[write.record_id])
                    for write in writes
                ]
            else:
                results = self.crm.write(object_name, writes)
        except ConnectionLost as error:
            log.warning("An answer was lost; the records are read to see whether the write arrived: %s", error)
            left = self._settle_by_reading(rows)
            if left and last:
                raise
            return left
        return self._take_results(object_name, rows, results, last)

    def _take_results(self, object_name: str, rows: Sequence[Change], results: Sequence[RowResult], last: bool) -> int:
        by_record = {result.record_id: result for result in results}
        ends: list[tuple[State, str | None, int]] = []
        again: list[Change] = []
        taken: list[Change] = []
        for change in rows:
            result = by_record.get(change.record_id)
            outcome = result.outcome if result else "retry"
            reason = result.reason if result else "the CRM gave no result for this record"
            if outcome == "applied":
                ends.append(("applied", None, change.change_id))
                taken.append(change)
            elif outcome == "gone":
                ends.append(("skipped", reason or "the record was deleted or merged away", change.change_id))
            elif outcome in ("retry", "changed") and not last:
                again.append(change)
            else:
                ends.append(("failed", reason, change.change_id))
                self.errors[reason or "refused without a reason"] += 1
            if outcome not in ("retry", "changed") or last:
                self.totals[ends[-1][0]] += 1
        with self.ledger.write() as book:
            journal.finish(book, ends, now_ms())
            if again:
                journal.back_to_plan(book, self.name, again, "locked or turned away; sent again", now_ms())
            self.totals["sent"] -= len(again)
            self._remember(book, object_name, taken)
        return len(again)

    def _deliver_by_jobs(self, plan_id: str, object_name: str, last: bool) -> int:
        after = 0
        again = 0
        while True:
            rows = self._next(plan_id, object_name, guarded=False, after=after, limit=JOB_ROWS, only=None)
            if not rows:
                return again
            after = rows[-1].change_id
            rows.sort(key=lambda change: change.parent or "")
            names = sorted({name for change in rows for name in change.fields})
            job = self.crm.bulk_open(object_name, names)
            rows = self._start(rows, job)
            if not rows:
                self.crm.bulk_abort(job)
                continue
            self.totals["sent"] += len(rows)
            self.crm.bulk_upload(
                job, object_name, [RecordWrite(change.record_id, change.after(), change.parent) for change in rows]
            )
            self.crm.bulk_close(job)
            self.crm.bulk_wait(job)
            again += self._take_job_results(job, rows, last=last)

    def _take_job_results(self, job: str, rows: Sequence[Change], *, last: bool = False) -> int:
        by_record = {change.record_id: change for change in rows}
        again = 0
        for results in self.crm.bulk_results(job):
            known = [by_record.pop(result.record_id) for result in results if result.record_id in by_record]
            if known:
                again += self._take_results(known[0].object_name, known, results, last)
        if by_record:
            left = self._settle_by_reading(list(by_record.values()))
            if left and last:
                raise ServiceUnavailable(
                    f"The CRM gave no result for {left} of {len(rows)} rows of job {job}. Run again later."
                )
            again += left
        return again

    def _guard(self, plan_id: str, object_name: str, batch: Sequence[Change]) -> Guarded:
        watched = guard(self.crm, self.own[object_name], object_name, batch)
        if watched.ended or watched.split:
            now = now_ms()
            with self.ledger.write() as book:
                journal.finish(book, watched.ended, now)
                for change, split, state, error in watched.split:
                    journal.split_off(book, plan_id, self.name, change, split, state, error, self.run, now)
        for state, _, _ in watched.ended:
            self.totals[state] += 1
        self.totals["conflict"] += sum(state == "conflict" for _, _, state, _ in watched.split)
        return watched

    def _restore_slipped_edits(self, object_name: str, rows: Sequence[Change], watched: Guarded) -> int:
        slipped = find_slipped_edits(self.crm, self.own[object_name], object_name, rows, watched)
        if not slipped:
            return 0
        with self.ledger.write() as book:
            for change, fields in slipped:
                back = Planned(
                    object_name, change.record_id, change.contact_id, fields, guarded=True, decisions=[],
                    undoes=change.change_id,
                )  # fmt: skip
                journal.add(book, change.plan_id, self.name, [back], self.root_run, now_ms())
            journal.finish(
                book,
                [
                    ("conflict", "a person's edit slipped in and was restored", change.change_id)
                    for change, _ in slipped
                ],
                now_ms(),
            )
        self.totals["edits restored"] += len(slipped)
        return len(slipped)

    def _remember(self, book: Connection, object_name: str, taken: Sequence[Change]) -> None:
        if is_list(object_name):
            remember(book, self.name, object_name, [(c.contact_id, c.after()) for c in taken], now_ms())
            return
        own = self.own[object_name]
        phone_fields = frozenset(own.phone_status)
        written = [(change.contact_id, change.after()) for change in taken]
        journal.remember_written(book, self.name, written, phone_fields, own.do_not_call)
        flagged = [contact_id for contact_id, values in written if values.get(own.do_not_call) == "true"]
        dirty.forget_contacts(book, dirty.do_not_call_stage(self.name), flagged)
        # What was put back is a number we may not have read yet.
        back = [c.contact_id for c in taken if c.undoes is not None and not phone_fields.isdisjoint(c.fields)]
        dirty.mark_contacts(book, phones.STAGE, back)
