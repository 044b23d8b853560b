"""The whole pass over the ledger, measured: reading, counting, grading 1,000 sources, in a ledger made for it. `python -m benchmarks.source_pass [CONTACTS]`."""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import orjson

from assets.source_measure import measure, remember
from ringtrue.ledger import Ledger
from ringtrue.ledger.database import insert_rows
from ringtrue.settings import Settings

SOURCES = 1_000
CHUNK = 50_000
DAY_MS = 86_400_000
NOW = 1_780_000_000_000


def fill(ledger: Ledger, contacts: int) -> None:
    """Contacts of the last 300 days, one number each, one in forty shared; half of them verified within the window, one in ten bad."""
    rng = np.random.default_rng(1)
    origins = [orjson.dumps({"LeadSource": f"source {place}"}).decode() for place in range(SOURCES)]
    for start in range(0, contacts, CHUNK):
        count = min(CHUNK, contacts - start)
        created = NOW - rng.integers(0, 300 * DAY_MS, count)
        source = rng.integers(0, SOURCES, count)
        kind = rng.random(count)
        people, phones, said, seen = [], [], [], []
        for place in range(count):
            key, at = start + place + 1, int(created[place])
            origin = origins[source[place]]
            digits = start + (place if place % 40 else place // 2)
            number = f"+1{2_000_000_000 + digits:010d}"
            people.append(
                ("crm", "Contact", f"{key}", origin, origin, False, False, "{}", "{}", f"w{key}", at, at, at + 60_000)
            )
            phones.append((key, "Phone", 0, number, number, number, True, True, "ok"))
            if place % 40:
                status = "disconnected" if kind[place] < 0.05 else "active" if kind[place] < 0.5 else "unverified"
                line = {"disconnected": "disconnected", "active": "alive"}.get(status, "unknown")
                evidence = f'["observation:{key}"]' if status != "unverified" else '["format:ok"]'
                said.append(
                    (number, 0, status, line, "unknown", "unknown", "ok", 0.9, "r", evidence, "p", at + DAY_MS, True)
                )
                if status != "unverified":
                    seen.append(
                        (number, "lookup", "twilio", "lookup_alive", at + DAY_MS, at + DAY_MS, f"{key}", 0.01, "run")
                    )
        with ledger.write() as book:
            insert_rows(
                book,
                "contacts",
                [
                    "connection",
                    "object",
                    "record_id",
                    "source",
                    "first_source",
                    "do_not_call",
                    "email_opt_out",
                    "phones",
                    "ours",
                    "why_id",
                    "created_at",
                    "modified_at",
                    "first_seen_at",
                ],
                people,
            )
            insert_rows(
                book,
                "phones",
                ["contact_id", "field", "position", "raw", "number", "e164", "valid", "sure", "reason"],
                phones,
            )
            insert_rows(
                book,
                "decisions",
                [
                    "number",
                    "contact_id",
                    "status",
                    "line",
                    "reach",
                    "identity",
                    "permission",
                    "confidence",
                    "reason",
                    "evidence",
                    "policy",
                    "decided_at",
                    "current",
                ],
                said,
                on_conflict="DO NOTHING",
            )
            insert_rows(
                book,
                "observations",
                ["number", "kind", "source", "outcome", "observed_at", "recorded_at", "external_id", "cost", "run"],
                seen,
            )


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("contacts", nargs="?", type=int, default=500_000)
    contacts = parser.parse_args().contacts
    rules = {
        f"source_{place}": {"label": f"Source {place}", "match": [{"field": "LeadSource", "value": f"source {place}"}]}
        for place in range(SOURCES)
    }
    settings = Settings.model_validate({"sources": rules})
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger.open(f"sqlite:///{Path(folder) / 'ledger.db'}", key=b"0" * 32)
        fill(ledger, contacts)
        for turn in ("first pass, every verdict new", "second pass"):
            begun, cpu = time.perf_counter(), time.process_time()
            measured = measure(ledger, settings, keep=True)
            between = time.perf_counter()
            remember(ledger, settings, measured, "run", NOW)
            ended = time.perf_counter()
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"{contacts:,} contacts, {turn}: measured in {between - begun:.1f} s, remembered in {ended - between:.1f} s, "
                f"{time.process_time() - cpu:.1f} s of CPU, peak {peak:,.0f} MiB"
            )
        ledger.close()


if __name__ == "__main__":
    main()
