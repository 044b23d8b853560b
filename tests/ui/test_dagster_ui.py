"""A real browser on what people look at: the Dagster UI of a project that has synced, and the sandbox's pages on a desk and on a phone."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from app.demo_world import running_ui
from tests.pipeline.project import Project, make_home, open_project
from tests.stand_ins import ROOT, running_sandbox

CHROMIUM = Path("/usr/bin/chromium")
DESK: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
PATIENCE_MS = 60_000
GROUPS = ("lead_sources", "salesforce", "hubspot", "files", "numbers", "permission", "decision")
ASSETS = {
    "lead_sources": ("prize_draw",),
    "salesforce": ("contacts", "do_not_call", "changes", "writeback"),
    "numbers": ("phones",),
    "permission": ("opt_outs", "suppressions"),
    "decision": ("status",),
}

pytestmark = pytest.mark.skipif(
    not CHROMIUM.exists(), reason="there is no /usr/bin/chromium: install Debian's chromium"
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project whose Salesforce has synced and whose HubSpot has not been looked at."""
    home = tmp_path_factory.mktemp("ui")
    with running_sandbox(home, "--seed", "11", "--contacts", "60") as sandbox:
        opened = open_project(make_home(home), sandbox)
        shutil.copy(ROOT / "dagster_home" / "dagster.yaml", opened.home / "dagster_home")
        # No schedule may come due while somebody looks.
        never = {"schedule": "0 0 29 2 *"}
        opened.write_settings(salesforce=never, hubspot=never)
        opened.prepare()
        synced = opened.run("sync", "salesforce")
        assert synced.returncode == 0, synced.stdout + synced.stderr
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def ui(project: Project) -> Iterator[str]:
    """Address of the Dagster UI over the project."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        for name, value in project.environment.items():
            patch.setenv(name, value)
        with running_ui(project.home) as (address, _):
            yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield opened
        opened.close()


@contextmanager
def looking(browser: Browser, size: ViewportSize) -> Iterator[Page]:
    """A page of this size. At the end nothing may have gone wrong in it."""
    page = browser.new_page(viewport=size)
    page.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    yield page
    page.close()
    assert troubles == []


def test_the_graph_shows_every_group_and_asset(ui: str, browser: Browser) -> None:
    with looking(browser, DESK) as page:
        page.goto(f"{ui}/asset-groups")
        for group in GROUPS:
            expect(page.get_by_text(group, exact=True).first).to_be_visible()
        # All at once would not fit: the graph draws only what is in view.
        for group, assets in ASSETS.items():
            page.goto(f"{ui}/locations/ringtrue/asset-groups/{group}/lineage")
            for asset in assets:
                expect(page.get_by_text(asset, exact=True).first).to_be_attached()


def test_one_asset_is_rematerialized_and_succeeds(ui: str, browser: Browser) -> None:
    with looking(browser, DESK) as page:
        page.goto(f"{ui}/assets/status")
        page.locator("button", has_text=re.compile("^Materialize")).first.click()
        page.get_by_role("link", name="View", exact=True).first.click()
        page.wait_for_url(re.compile("/runs/"))
        expect(page.get_by_text("Success", exact=True).first).to_be_visible()


def test_the_preview_shows_what_would_be_written(ui: str, browser: Browser) -> None:
    with looking(browser, DESK) as page:
        page.goto(f"{ui}/assets/salesforce/changes?view=events")
        for name in ("records compared", "fields in the plan", "plan hash", "gate", "sample"):
            expect(page.get_by_text(name, exact=True).first).to_be_visible()
        expect(page.get_by_text("open: write-back will send this").first).to_be_visible()
        assert not re.search(r"\+\d{7,}", page.inner_text("body")), "a number stands in the UI in full"


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_a_contact_before_and_after(project: Project, browser: Browser, size: ViewportSize) -> None:
    pages = f"http://127.0.0.1:{project.sandbox.ports['pages']}"
    with looking(browser, size) as page:
        page.goto(f"{pages}/?crm=hubspot")
        expect(page.locator("td.state").get_by_text("Not checked yet").first).to_be_visible()
        page.locator("td.who a").first.click()
        expect(page.get_by_text("RingTrue has not looked at this record yet")).to_be_visible()
        assert fits(page)
        page.goto(f"{pages}/?crm=salesforce")
        assert fits(page)
        page.locator("tr", has=page.locator(".s-active, .s-unverified, .s-invalid")).locator("td.who a").first.click()
        expect(page.get_by_role("heading", name="Phone numbers")).to_be_visible()
        expect(page.get_by_text("RingTrue_Status__c").first).to_be_visible()
        expect(page.get_by_text("RingTrue has not looked at this record yet")).to_have_count(0)
        assert fits(page)


def fits(page: Page) -> bool:
    """Whether nobody has to scroll sideways."""
    wide, room = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    return bool(wide <= room)
