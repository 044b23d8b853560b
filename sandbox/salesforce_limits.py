"""The limits resource: what is left of the day's allowances."""

from __future__ import annotations

from starlette.responses import Response

from sandbox.salesforce_http import Call, Rule, json_response


def rules() -> list[Rule]:
    """The paths."""
    return [Rule("GET", "/data/limits", limits), Rule("GET", "/data/limits/recordCount", record_count)]


async def limits(call: Call) -> Response:
    """Daily allowances with what remains."""
    settings = call.org.settings
    used = call.org.api_calls
    batches = settings["daily_bulk_batches"]
    used_batches = call.org.store.setting("sf:bulk_batches", 0)
    return json_response(
        {
            "DailyApiRequests": {
                "Max": settings["daily_api_limit"],
                "Remaining": max(settings["daily_api_limit"] - used, 0),
                "Ant Migration Tool": {"Max": 0, "Remaining": 0},
            },
            "DailyBulkApiBatches": {"Max": batches, "Remaining": max(batches - used_batches, 0)},
            "DailyBulkV2QueryJobs": {"Max": 10_000, "Remaining": 10_000},
            "DailyBulkV2QueryFileStorageMB": {"Max": 976_562, "Remaining": 976_562},
            "DataStorageMB": {"Max": 1_073, "Remaining": 1_000},
            "DailyDurableStreamingApiEvents": {"Max": 10_000, "Remaining": 10_000},
            "HourlyPublishedPlatformEvents": {"Max": 50_000, "Remaining": 50_000},
        }
    )


async def record_count(call: Call) -> Response:
    """How many living records each object has."""
    wanted = [name for name in call.query.get("sObjects", "").split(",") if name] or call.org.schema.names()
    counts = [{"name": name, "count": call.org.store.count(name)} for name in wanted if call.org.schema.view(name)]
    return json_response({"sObjects": counts})
