"""A HubSpot connection for tests: its own buckets, and waits that are noted instead of waited."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from connectors.hubspot import HubspotCrm

TOKEN = "sandbox-token"


def connect(url: str, folder: Path, waits: list[float] | None = None, **options: Any) -> HubspotCrm:
    """Connect to a stand-in. Waits go to `waits` and take no time; searches are not held back."""
    noted = waits if waits is not None else []
    options = {"searches_per_second": 1000.0, "sleep": noted.append, **options}
    return HubspotCrm.connect(options.pop("token", TOKEN), base_url=url, bucket_folder=folder, **options)
