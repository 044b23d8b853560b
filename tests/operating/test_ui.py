"""Somebody who has never seen the code finds their way in the UI: every asset, check, job and schedule says what it is and whose it is."""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.metadata import LocalFileCodeReference

from assets.definitions import build
from ringtrue.settings import Settings, load_settings
from tests.stand_ins import ROOT


@pytest.fixture(scope="module")
def everything() -> Settings:
    """The delivered settings with all that can be switched on, so that every kind of asset is there."""
    delivered = load_settings(ROOT / "ringtrue.toml").model_dump()
    delivered["connections"]["salesforce"] |= {"campaigns": ["701000000000001AAA"], "remove_from_lists": True}
    delivered["connections"]["hubspot"] |= {"lists": ["42"], "email_preferences": True}
    delivered["registries"] = {"us": {"kind": "us_national", "folder": "registries"}}
    delivered["source_quality"]["feedback"] = ["salesforce"]
    delivered["openlineage"]["file"] = "events.jsonl"
    delivered["alerts"]["webhook_variable"] = "RINGTRUE_ALERT_WEBHOOK"
    return Settings.model_validate(delivered)


@pytest.fixture(scope="module")
def definitions(everything: Settings) -> dg.Definitions:
    return build(everything)


def test_every_asset_says_what_it_is_whose_it_is_and_where_its_code_is(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    assert len(graph.get_all_asset_keys()) > 30
    for key in graph.get_all_asset_keys():
        asset = graph.get(key)
        name = key.to_user_string()
        assert len(asset.description or "") > 12, name
        assert asset.owners, name
        assert asset.kinds, name
        assert asset.group_name not in (None, "default"), name
        if not asset.is_materializable:
            continue
        links = asset.metadata["dagster/code_references"].code_references
        assert [type(link) for link in links] == [LocalFileCodeReference], name
        file = Path(links[0].file_path)
        assert file.is_file(), name
        assert Path(os.path.relpath(file, ROOT)).parts[0] == "assets", name
        assert asset.metadata["dagster/column_schema"].columns, name


def test_every_check_job_schedule_and_sensor_is_described(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    assert [key for key in graph.asset_check_keys if not graph.get(key).description] == []
    jobs = [job for job in definitions.resolve_all_job_defs() if not job.name.startswith("__")]
    assert [job.name for job in jobs if not job.description] == []
    assert [one.name for one in definitions.schedules or [] if not getattr(one, "description", None)] == []
    assert [one.name for one in definitions.sensors or [] if not one.description] == []


def test_stages_take_turns_and_no_run_waits_for_another_crm(definitions: dg.Definitions, everything: Settings) -> None:
    """Each stage has a pool: one for a CRM's wire, one for each shared table."""
    assets = [each for each in definitions.assets or [] if isinstance(each, dg.AssetsDefinition)]
    pools = {key.to_user_string(): each.op.pool for each in assets for key in each.keys}
    for name in ("salesforce", "hubspot"):
        own = {key: pool for key, pool in pools.items() if key.startswith(f"{name}/")}
        assert own[f"{name}/contacts"] == own[f"{name}/writeback"] == f"crm_{name}"
        assert set(own.values()) <= {f"crm_{name}", f"ledger_{name}", None}
    shared = {key: pool for key, pool in pools.items() if "/" not in key and key != "review_queue"}
    assert None not in shared.values()
