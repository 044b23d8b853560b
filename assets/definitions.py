"""The whole pipeline, in the order the data flows. Loading it reads ringtrue.toml and nothing else."""

from pathlib import Path

import dagster as dg

from assets.alerts import build_alerts
from assets.backup import build_backup
from assets.call_evidence import build_call_evidence
from assets.call_files import build_call_files
from assets.calls import build_calls
from assets.code_links import with_code_links
from assets.contacts import build_contacts
from assets.dialing_list import build_dialing_list
from assets.dialling_lists import build_lists, named_lists
from assets.do_not_call import build_do_not_call
from assets.email_preferences import build_email_preferences
from assets.files import build_files
from assets.fresh_contacts import build_fresh_contacts
from assets.freshness import with_freshness
from assets.jobs import build_jobs
from assets.lead_source_quality import build_lead_source_quality
from assets.lead_sources import build_sources
from assets.lineage import Graph, with_lineage
from assets.lookups import build_lookups
from assets.openlineage import build_openlineage, stages_of
from assets.opt_outs import build_opt_outs
from assets.phones import build_phones
from assets.preview import build_changes
from assets.registries import build_registries
from assets.report import build_report
from assets.review_queue import build_review_queue
from assets.sensors import build_quick
from assets.source_checks import build_source_checks
from assets.source_feedback import build_source_feedback
from assets.status import build_status
from assets.writeback import build_writeback
from connectors.resources import CrmResource, LedgerResource
from ringtrue.errors import SettingsError
from ringtrue.settings import Settings, load_settings, settings_path


def build(settings: Settings, *, retries: bool = True) -> dg.Definitions:
    """Definitions for one settings file. Without `retries` a stage that failed is not repeated: where a person waits, the sentence comes at once."""
    crms = {name: connection for name, connection in settings.connections.items() if connection.kind != "files"}
    folders = [name for name, connection in settings.connections.items() if connection.kind == "files"]

    sources = build_sources(settings)
    source_keys = [spec.key for spec in sources]
    pulls = [build_contacts(name, connection, source_keys) for name, connection in crms.items()]
    pulls += [build_files(name, source_keys) for name in folders]
    pulled = [pull.key for pull in pulls]

    histories = [build_calls(name, connection) for name, connection in crms.items()]
    histories += [build_call_files(name) for name in folders]

    phones = build_phones(pulled)
    call_evidence = build_call_evidence([phones.key, *(history.key for history in histories)])
    registries = build_registries(settings)
    permission = build_opt_outs([*pulled, call_evidence.key])
    lookups = build_lookups(settings, [phones.key, call_evidence.key, dg.AssetKey("suppressions")])
    status = build_status([phones.key, call_evidence.key, lookups.key, dg.AssetKey("suppressions")])
    quality = build_lead_source_quality()
    queue = build_review_queue([phones.key, call_evidence.key, dg.AssetKey("opt_outs")])
    report = build_report()
    feedback = [build_source_feedback(name, crms[name]) for name in settings.source_quality.feedback]

    lists = [build_lists(name, connection) for name, connection in crms.items() if named_lists(connection)]
    preferences = [
        build_email_preferences(name)
        for name, connection in crms.items()
        if connection.kind == "hubspot" and connection.email_preferences
    ]
    dialing_list = build_dialing_list([status.key, dg.AssetKey("suppressions"), *(one.key for one in lists)])

    changes = [build_changes(name, connection) for name, connection in crms.items()]
    writebacks = [build_writeback(name, connection) for name, connection in crms.items()]

    at_once = [build_do_not_call(name, connection) for name, connection in crms.items()]
    at_once += [build_fresh_contacts(name, connection) for name, connection in crms.items()]
    quick = build_quick(settings)

    try:
        made = build_jobs(settings, retries=retries)
    except dg.DagsterInvalidDefinitionError as error:
        raise SettingsError(f"A schedule in {settings_path()} cannot be used: {error}") from error
    graph = Graph(tuple(pulled), tuple(history.key for history in histories), tuple(source_keys))
    stages: list[dg.AssetsDefinition | dg.AssetSpec] = [
        *sources,
        *pulls,
        *histories,
        phones,
        call_evidence,
        registries,
        *permission,
        lookups,
        status,
        quality,
        report,
        *feedback,
        queue,
        *lists,
        *preferences,
        dialing_list,
        *changes,
        *writebacks,
        *at_once,
    ]
    sensors = [*quick.sensors]
    if settings.openlineage.url or settings.openlineage.file:
        sensors.append(build_openlineage(stages_of(stages, graph)))
    if settings.alerts.on:
        sensors.append(build_alerts())
    pipeline = dg.Definitions(
        assets=with_code_links(with_freshness(with_lineage(stages, graph), made.freshness)),
        asset_checks=[build_source_checks(settings)],
        sensors=sensors,
        jobs=[*made.jobs, *quick.jobs],
        schedules=made.schedules,
        resources={"ledger": LedgerResource(), **{name: CrmResource(connection=name) for name in crms}},
        executor=dg.in_process_executor,
    )
    return dg.Definitions.merge(pipeline, build_backup(settings))


def refuse_second_ledger(settings: Settings) -> None:
    """Raise SettingsError where Dagster was started in another folder than the settings': a relative ledger would begin anew there, without any opt-out."""
    file = settings_path()
    scheme, _, place = settings.ledger.url.partition("///")
    if scheme == "sqlite:" and not place.startswith("/") and file.is_absolute() and file.parent != Path.cwd():
        raise SettingsError(
            f"[ledger] url in {file} is relative, but Dagster was started in another folder, where it would make a second, empty ledger. "
            f'Write url = "sqlite:///{file.parent / place}", or start Dagster in {file.parent}.'
        )


@dg.definitions
def defs() -> dg.Definitions:
    """What `workspace.yaml` loads."""
    settings = load_settings()
    refuse_second_ledger(settings)
    return build(settings)
