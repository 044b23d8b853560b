"""Renews the pictures in docs/images from the demo's seeded world: `make demo ONCE=1`, then `make screenshots`."""

from __future__ import annotations

import re
import sys
from contextlib import ExitStack
from pathlib import Path

import httpx
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from app.demo import HOME
from app.demo_world import alone, home_of, running_sandbox, running_ui, settle_in

IMAGES = Path(__file__).with_name("images")
CHROMIUM = "/usr/bin/chromium"
DESKTOP: ViewportSize = {"width": 1440, "height": 900}
GRAPH: ViewportSize = {"width": 1500, "height": 2060}
PHONE: ViewportSize = {"width": 390, "height": 844}
COLOURS = 128
WAIT_MS = 60_000


HIDE_DIGITS = r"""() => {
  const number = /(?<![\w-])(?!\d{4}-\d\d-\d\d)\+?\(?\d[\d\s().\/-]{5,}\d(?!\w)/g;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    node.nodeValue = node.nodeValue.replace(number, text => {
      let left = 4;
      return [...text].reverse().map(one => /\d/.test(one) && left-- > 0 ? "•" : one).reverse().join("");
    });
  }
}"""
"""The world's numbers are made up, but any of them may be somebody's: a picture does not show them in full."""


def main() -> None:
    """Start the demo's world as it was left and take every picture."""
    home = home_of(HOME, None)
    if not (home / "ledger.db").exists():
        sys.exit("There is no demo to show. Run `make demo ONCE=1 FRESH=1` first.")
    IMAGES.mkdir(exist_ok=True)
    with ExitStack() as stack:
        lock = stack.enter_context(alone(HOME, home))
        ports = stack.enter_context(running_sandbox(home, lock, contacts=1, data=None, country=None))
        settle_in(home, ports)
        ui, _ = stack.enter_context(running_ui(home))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        stack.callback(browser.close)
        _graph(_page(browser, GRAPH, 1.5), ui)
        desktop = _page(browser, DESKTOP)
        _preview(desktop, ui)
        pages = f"http://127.0.0.1:{ports['pages']}"
        desktop.goto(f"{pages}/")
        _save(desktop, "contacts.png")
        path = _telling_contact(pages)
        for page, name in ((desktop, "contact.png"), (_page(browser, PHONE, 2), "contact-phone.png")):
            page.goto(f"{pages}{path}")
            _save(page, name)


def _page(browser: Browser, size: ViewportSize, scale: float = 1) -> Page:
    page = browser.new_page(viewport=size, device_scale_factor=scale)
    page.set_default_timeout(WAIT_MS)
    return page


def _graph(page: Page, ui: str) -> None:
    page.goto(f"{ui}/asset-groups")
    page.get_by_text("lead_sources").first.wait_for()
    page.get_by_text("Hide navigation").click()
    page.keyboard.press("Alt+e")
    page.wait_for_url("**expanded=**")
    expanded = page.url
    # Loaded anew, the graph is laid out to fit.
    page.goto("about:blank")
    page.goto(expanded)
    page.get_by_text("purchased_list").first.wait_for()
    page.locator("button:has([aria-label='panel_show_right'])").first.click()
    page.locator("button:has([aria-label='zoom_out'])").click()
    page.wait_for_load_state("networkidle")
    _save(page, "asset-graph.png")


def _preview(page: Page, ui: str) -> None:
    """The first preview of the Salesforce connection: the one with the most changes."""
    page.goto(f"{ui}/assets/salesforce/changes?view=events")
    page.get_by_text("Materialized in run").first.wait_for()
    moments = page.get_by_text(re.compile(r"^[A-Z][a-z]{2} \d+, \d+:\d\d"))
    # The last one is the heading of the event that is shown.
    moments.nth(moments.count() - 2).click()
    page.get_by_text("fields in the plan").first.wait_for()
    page.wait_for_load_state("networkidle")
    _save(page, "preview.png")


def _telling_contact(pages: str) -> str:
    """A contact with a dead number beside a live one, else any with a dead one."""
    with httpx.Client(base_url=pages, trust_env=False, timeout=30) as client:
        for status, beside in (("active", "s-disconnected"), ("disconnected", "s-disconnected")):
            listed = client.get("/", params={"crm": "salesforce", "status": status}).text
            for path in re.findall(r'<td class="who"><a href="([^"]+)"', listed):
                if beside in client.get(path).text.split("<h2>Phone numbers</h2>")[-1].split("<h2>Contact</h2>")[0]:
                    return str(path)
    sys.exit("No contact of the demo has a disconnected number. Run `make demo ONCE=1 FRESH=1`.")


def _save(page: Page, name: str) -> None:
    """A picture in few colours: readable, and small enough for a repository."""
    path = IMAGES / name
    page.evaluate(HIDE_DIGITS)
    page.screenshot(path=path)
    with Image.open(path) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
