"""Loads HubSpot contacts with dlt's REST source into DuckDB: python dlt_rest.py URL FOLDER PROPERTIES... Prints rows, seconds, CPU seconds, version."""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path


def load(url: str, folder: Path, properties: list[str]) -> None:
    """Load every contact and print what it took."""
    dlt = importlib.import_module("dlt")
    rest_api_source = importlib.import_module("dlt.sources.rest_api").rest_api_source
    source = rest_api_source(
        {
            "client": {
                "base_url": url,
                "auth": {"type": "bearer", "token": "sandbox-token"},
                "paginator": {"type": "cursor", "cursor_path": "paging.next.after", "cursor_param": "after"},
            },
            "resources": [
                {
                    "name": "contacts",
                    "primary_key": "id",
                    "endpoint": {
                        "path": "crm/v3/objects/contacts",
                        "params": {"limit": 100, "properties": ",".join(properties)},
                        "data_selector": "results",
                    },
                }
            ],
        }
    )
    pipeline = dlt.pipeline(
        "beside", destination=dlt.destinations.duckdb(str(folder / "beside.duckdb")), dataset_name="crm", dev_mode=True
    )
    started, cpu = time.perf_counter(), time.process_time()
    pipeline.run(source)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    with pipeline.sql_client() as client:
        rows = client.execute_sql("SELECT count(*) FROM contacts")
    print(rows[0][0], seconds, cpu_seconds, dlt.__version__)


if __name__ == "__main__":
    load(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
