"""How many API calls a sync needs, computed from what it read and planned. docs/calls.md says the same in words.

Polls of Bulk jobs are left out: how often a job is asked for depends on how long the CRM takes. Everything else is exact but for retries.
"""

from __future__ import annotations

from collections.abc import Mapping

SALESFORCE_QUERY_ROWS = 2_000
SALESFORCE_BULK_PAGE_ROWS = 50_000
SALESFORCE_BULK_JOB_ROWS = 50_000
SALESFORCE_COLLECTION = 200
SALESFORCE_ONE_BY_ONE = 50
HUBSPOT_LIST_ROWS = 100
HUBSPOT_SEARCH_ROWS = 200
HUBSPOT_BATCH = 100
HUBSPOT_HISTORY_BATCH = 50

NOT_COUNTED = frozenset({"poll"})


def pages(rows: int, size: int) -> int:
    """Pages of `size` that hold the rows; an empty answer is a page too."""
    return max(1, batches(rows, size))


def batches(rows: int, size: int) -> int:
    """Batches of at most `size`; none for nothing."""
    return -(-rows // size)


def salesforce_pull(read: Mapping[str, int], *, first: bool, bulk_from: int) -> int:
    """Login, one describe and one question for each object, then the pages: by Bulk above `bulk_from` rows, else by query.

    The question of a first pull is a COUNT() and fetches nothing; later the first page of the query is the question.
    """
    calls = 1
    for rows in read.values():
        calls += 2
        if rows > bulk_from:
            calls += 1 + pages(rows, SALESFORCE_BULK_PAGE_ROWS)
        elif first:
            calls += pages(rows, SALESFORCE_QUERY_ROWS)
        else:
            calls += pages(rows, SALESFORCE_QUERY_ROWS) - 1
    return calls


def hubspot_pull(read: int, *, first: bool, archived_pages: int = 1, read_apart: bool = False) -> int:
    """Account, describe, the pages (a list at first, searches later) and the list of archived records.

    `read_apart`: so many properties are asked for that a search names ids only, and the values are read by id.
    """
    if first:
        return 2 + pages(read, HUBSPOT_LIST_ROWS) + archived_pages
    searches = pages(read, HUBSPOT_SEARCH_ROWS)
    return 2 + searches + (batches(read, HUBSPOT_BATCH) if read_apart else 0) + archived_pages


def salesforce_writeback(guarded: Mapping[str, int], free: Mapping[str, int], *, bulk_from: int) -> int:
    """Guarded records by Collections, each batch read before it is written (up to 50 of an object one by one); the others by Bulk from `bulk_from` on.

    A Bulk job is opened, uploaded, closed, and its three lists of results are fetched. The objects written are described once each.
    """
    objects = {name for counts in (guarded, free) for name, count in counts.items() if count}
    calls = 1 + len(objects) if objects else 0
    for count in guarded.values():
        calls += batches(count, SALESFORCE_COLLECTION)
        calls += count if count <= SALESFORCE_ONE_BY_ONE else batches(count, SALESFORCE_COLLECTION)
    for count in free.values():
        calls += (
            6 * batches(count, SALESFORCE_BULK_JOB_ROWS)
            if count >= bulk_from
            else batches(count, SALESFORCE_COLLECTION)
        )
    return calls


def hubspot_writeback(guarded: int, free: int) -> int:
    """Each guarded batch is read, written, and its history looked at in two halves; the others are only written.

    With guarded records comes one describe, and one question for the app behind our token.
    """
    calls = 2 + 2 * batches(guarded, HUBSPOT_BATCH) if guarded else 0
    full, rest = divmod(guarded, HUBSPOT_BATCH)
    calls += full * batches(HUBSPOT_BATCH, HUBSPOT_HISTORY_BATCH) + batches(rest, HUBSPOT_HISTORY_BATCH)
    return calls + batches(free, HUBSPOT_BATCH)


def counted(calls: Mapping[str, int]) -> int:
    """The calls that the formula speaks of."""
    return sum(count for kind, count in calls.items() if kind not in NOT_COUNTED)
