"""A HubSpot connection for tests: its own buckets, and waits that are noted instead of waited."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from connectors.hubspot import HubspotCrm
from tests.connectors.canned import Asked, Reply

TOKEN = "sandbox-token"
PROPERTIES = [{"name": name, "label": name, "type": "string"} for name in ("phone", "hs_object_id", "note")]
GENERAL = {"X-HubSpot-RateLimit-Max": "190", "X-HubSpot-RateLimit-Remaining": "150"}


def contact(record_id: str, **properties: str | None) -> dict[str, Any]:
    """A contact as the API shows it."""
    return {
        "id": record_id,
        "properties": properties,
        "createdAt": "2026-01-30T03:30:17.883Z",
        "updatedAt": "2026-11-07T16:50:06.678Z",
        "archived": False,
    }


def portal(*replies: Reply) -> Any:
    """Answers the properties by itself, then the replies one after the other, the last one for ever."""
    left = list(replies)

    def answer(asked: Asked) -> Reply:
        if "/properties/" in asked.path:
            return Reply(200, {"results": PROPERTIES}, GENERAL)
        return left.pop(0) if len(left) > 1 else left[0]

    return answer


def connect(url: str, folder: Path, waits: list[float] | None = None, **options: Any) -> HubspotCrm:
    """Connect to a stand-in. Waits go to `waits` and take no time; searches are not held back."""
    noted = waits if waits is not None else []
    options = {"searches_per_second": 1000.0, "sleep": noted.append, **options}
    return HubspotCrm.connect(options.pop("token", TOKEN), base_url=url, bucket_folder=folder, **options)
