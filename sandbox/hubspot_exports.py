"""Asynchronous exports: one CSV of a whole object, zipped when it is large, behind a short-lived address that needs no token."""

from __future__ import annotations

import asyncio
import csv
import secrets
import zipfile
from pathlib import Path
from typing import Any

from sandbox.faults import due
from sandbox.hubspot_errors import HubSpotError, envelope, invalid, not_found, rate_limited
from sandbox.hubspot_http import Answer, Call, Rule, rule
from sandbox.hubspot_objects import READ
from sandbox.hubspot_portal import OBJECT_TYPES, Portal
from sandbox.hubspot_values import iso
from sandbox.hubspot_view import View
from sandbox.store import RecordStore

_LINK_MS, _DAY_MS = 300_000, 86_400_000
_MOST_A_DAY, _ZIP_FROM = 30, 2_000_000
_TYPES = {**OBJECT_TYPES, "CONTACT": "contacts", "CALL": "calls"}


class Exports:
    """The handlers for exports. One runs at a time, others queue; files lie beside the record store."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._directory = portal.store.path.parent / "exports"
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def rules(self) -> list[Rule]:
        """The routes."""
        return [
            rule("POST", "exports/export/async", self.start, "bulk", READ),
            rule("GET", "exports/export/async/tasks/{}/status", self.status, "bulk", READ),
            rule("GET", "export-files/{}/{}", self.download, "open"),
        ]

    async def start(self, call: Call) -> Answer:
        """Begin an export: 202 with its id."""
        body = call.json()
        kind = body.get("objectType") or "CONTACT"
        name = _TYPES.get(str(kind)) or _TYPES.get(str(kind).lower())
        if name is None or body.get("format") != "CSV" or body.get("exportType") not in ("VIEW", "LIST"):
            raise invalid("An export needs exportType VIEW or LIST, format CSV and an objectType this portal has.")
        wanted = [str(one) for one in body.get("objectProperties") or []]
        unknown = [one for one in wanted if one not in self._portal.definitions(name)]
        if unknown or not wanted:
            raise invalid(f"objectProperties names properties that do not exist: {unknown}")
        now = self._portal.now_ms()
        recent = [one for one in self._portal.store.settings("export:").values() if one["requested"] > now - _DAY_MS]
        if len(recent) >= _MOST_A_DAY:
            raise rate_limited("DAILY")
        job = {
            "id": str(self._portal.store.next_number("exports", 7001)),
            "object": name,
            "properties": wanted,
            "internal": "NAMES" in (body.get("exportInternalValuesOptions") or []),
            "list": str(body.get("listId") or ""),
            "status": "PENDING",
            "requested": now,
            "fails": due(call.scope, "job_failed") is not None,
        }
        self._keep(job)
        task = asyncio.create_task(self._run(job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return Answer(
            202,
            {
                "id": job["id"],
                "links": {"status": f"{call.address()}{call.scope['path'].rstrip('/')}/tasks/{job['id']}/status"},
            },
        )

    def status(self, call: Call) -> Answer:
        """How far an export is; a complete one has a new address for five minutes with every look."""
        job = self._job(call.place.parts[3])
        value = {"status": job["status"], "requestedAt": iso(job["requested"]), "numErrors": 0, "errors": []}
        for key, name in (("started", "startedAt"), ("completed", "completedAt")):
            if key in job:
                value[name] = iso(job[key])
        if job["status"] == "COMPLETE":
            key = secrets.token_hex(12)
            self._keep({**job, "key": key, "key_until": self._portal.now_ms() + _LINK_MS})
            value["result"] = f"{call.address()}/export-files/{job['id']}/{key}"
        return Answer(value=value)

    def download(self, call: Call) -> Answer:
        """The file. The address is the permission."""
        job = self._job(call.place.parts[0])
        if job.get("key") != call.place.parts[1] or self._portal.now_ms() > job.get("key_until", 0):
            raise HubSpotError(403, envelope("This link has expired."))
        path = self._directory / str(job["file"])
        kind = "application/zip" if path.suffix == ".zip" else "text/csv;charset=utf-8"
        return Answer(
            raw=path.read_bytes(),
            media_type=kind,
            headers={"content-disposition": f'attachment; filename="{path.name}"'},
        )

    async def _run(self, job: dict[str, Any]) -> None:
        async with self._turn:
            job |= {"status": "PROCESSING", "started": self._portal.now_ms()}
            self._keep(job)
            slow = [float(fault.options.get("seconds", 1)) for fault in self._portal.faults.standing("slow_job")]
            await asyncio.sleep(max([float(self._portal.settings["export_seconds"]), *slow]))
            if job["fails"]:
                self._keep({**job, "status": "CANCELED"})
                return
            name = await asyncio.to_thread(self._write, job)
            self._keep({**job, "status": "COMPLETE", "completed": self._portal.now_ms(), "file": name})

    def _write(self, job: dict[str, Any]) -> str:
        """Write the CSV in a thread of its own, on a connection of its own; the name of the file."""
        self._directory.mkdir(exist_ok=True)
        path = self._directory / f"hubspot-crm-exports-{job['id']}.csv"
        store = RecordStore(self._portal.store.path)
        try:
            self._write_rows(store, path, job)
        finally:
            store.close()
        if path.stat().st_size <= _ZIP_FROM:
            return path.name
        packed = path.with_suffix(".zip")
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.write(path, path.name)
        path.unlink()
        return packed.name

    def _write_rows(self, store: RecordStore, path: Path, job: dict[str, Any]) -> None:
        known = self._portal.definitions(job["object"])
        names = job["properties"]
        headings = [name if job["internal"] else known[name]["label"] for name in names]
        view = View(self._portal, job["object"], names)
        members = {one for one, _ in store.linked("lists", job["list"], "contacts")} if job["list"] else None
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["Record ID", *headings])
            after = ""
            while page := store.page_by_id(job["object"], after, 1000):
                after = page[-1].record_id
                for record in page:
                    if members is None or record.record_id in members:
                        properties = view.show(record)["properties"]
                        writer.writerow([record.record_id, *(properties.get(name) or "" for name in names)])

    def _job(self, job_id: str) -> dict[str, Any]:
        job: dict[str, Any] | None = self._portal.store.setting(f"export:{job_id}")
        if job is None:
            raise not_found()
        return job

    def _keep(self, job: dict[str, Any]) -> None:
        self._portal.store.set_setting(f"export:{job['id']}", job)
