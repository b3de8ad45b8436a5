"""The pages in a real browser: by keyboard, narrow, in both colours, live, and readable."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from playwright.sync_api import Page as Tab

from tests.conftest import StartLauncher
from tests.helpers import PATIENCE, Cluster, Db, call, value, wait_for

from .conftest import PASSWORD, Page
from .test_pages import HOSTILE, add_run

ADDRESSES = ["/", "/timeline", "/jobs", "/jobs/{job}", "/runs/{run}", "/calendar", "/graph", "/search?q=done"]

Open = Callable[..., Tab]
# Playwright counts in milliseconds
SECONDS = 1000 * PATIENCE


@pytest.fixture
def open_tab(browser: Browser, page: Page) -> Iterator[Open]:
    """Return a function that gives a tab of a role that has logged in; complaints of the browser fail the test."""
    complaints: list[str] = []
    contexts = []

    def log_in(role: str = "monitor", **options: Any) -> Tab:
        context = browser.new_context(base_url=page.url, **options)
        context.set_default_timeout(SECONDS)
        contexts.append(context)
        tab = context.new_page()
        tab.on(
            "console", lambda message: complaints.append(message.text) if message.type == "error" else None
        )
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("dialog", lambda dialog: complaints.append(dialog.message))
        tab.goto("/login")
        tab.get_by_label("Role").fill(role)
        tab.get_by_label("Password").fill(PASSWORD)
        tab.keyboard.press("Enter")
        expect(tab.get_by_role("button", name="Log out")).to_be_visible()
        return tab

    yield log_in
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def addresses(admin: Db) -> Iterator[list[str]]:
    """Return the addresses of all pages, with something to show."""
    job = value(
        admin, "SELECT pgagent_py.add_job(%s, cron => '0 3 * * *', sql => 'SELECT 1')", f"job {HOSTILE}"
    )
    after = value(
        admin, "SELECT pgagent_py.add_job('after it', batch => %s)", "#!/bin/sh\necho x | cat # what it does"
    )
    call(admin, "add_dependency", after, job)
    now = datetime.now(UTC)
    runs = [
        add_run(admin, job, now - timedelta(hours=n), f"done {HOSTILE}", status)
        for n, status in enumerate("sfsd", 1)
    ]
    yield [address.format(job=job, run=runs[1]) for address in ADDRESSES]
    admin.execute("DELETE FROM pgagent.pga_job WHERE jobid IN (%s, %s)", [job, after])


# What reading aids and people with weak eyes need: names, one h1, contrast of all text with what is behind it.
CHECK = """() => {
  const found = [];
  const linear = (v) => v <= 10 ? v / 3294.6 : ((v / 255 + 0.055) / 1.055) ** 2.4;
  const luminance = (c) => 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]);
  const parse = (text) => { const n = text.match(/[\\d.]+/g).map(Number); return n.length === 4 && n[3] === 0 ? null : n; };
  const behind = (e) => {
    for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c) return c; }
    return matchMedia("(prefers-color-scheme: dark)").matches ? [0, 0, 0] : [255, 255, 255]; };
  for (const e of document.querySelectorAll("body *")) {
    const text = [...e.childNodes].filter((n) => n.nodeType === 3 && n.data.trim()).length;
    if (!text || !e.getClientRects().length || e.closest(".hidden, .skip, option")) continue;
    const style = getComputedStyle(e);
    const ink = parse(e.closest("svg") && e.tagName !== "title" ? style.fill : style.color);
    if (e.tagName === "title" || !ink) continue;
    const [a, b] = [luminance(ink), luminance(behind(e))].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < 4.5) found.push(`contrast ${contrast.toFixed(1)}: ${e.outerHTML.slice(0, 120)}`);
  }
  for (const e of document.querySelectorAll("input:not([type=hidden]), select, textarea"))
    if (!e.labels.length && !e.ariaLabel) found.push(`no label: ${e.outerHTML}`);
  for (const e of document.querySelectorAll("a, button, progress, [role=region], [role=group], nav"))
    if (!(e.textContent.trim() || e.getAttribute("aria-label"))) found.push(`no name: ${e.outerHTML.slice(0, 120)}`);
  if (document.querySelectorAll("h1").length !== 1) found.push("not one h1");
  if (!document.documentElement.lang) found.push("no language");
  if (!document.querySelector("main")) found.push("no main");
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  if (new Set(ids).size !== ids.length) found.push("an id comes twice");
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_can_be_read_by_all(open_tab: Open, addresses: list[str], scheme: str) -> None:
    tab = open_tab(color_scheme=scheme)
    for address in addresses:
        tab.goto(address)
        assert tab.evaluate(CHECK) == [], address


def test_a_phone_shows_all_without_sideways_scrolling(open_tab: Open, addresses: list[str]) -> None:
    tab = open_tab(viewport={"width": 360, "height": 740})
    for address in addresses:
        tab.goto(address)
        assert tab.evaluate("document.documentElement.scrollWidth") <= 360, address


def test_all_works_without_a_mouse(open_tab: Open, addresses: list[str]) -> None:
    tab = open_tab()
    tab.goto("/jobs")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "To the content"
    reached = set()
    for _ in range(60):
        tab.keyboard.press("Tab")
        reached.add(
            tab.evaluate("document.activeElement.getAttribute('href') || document.activeElement.name")
        )
    assert {"/timeline", "/calendar", "/graph", "q", "zone", addresses[3]} <= reached
    outline = tab.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"


def test_nothing_comes_from_elsewhere(open_tab: Open, addresses: list[str], page: Page) -> None:
    tab = open_tab()
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    for address in addresses:
        tab.goto(address)
    assert asked
    assert all(url.startswith(page.url) for url in asked)


def test_times_are_those_of_the_browser(open_tab: Open, addresses: list[str]) -> None:
    tab = open_tab(timezone_id="Asia/Kathmandu")
    tab.goto(addresses[3])
    expect(tab.get_by_text("+05:45").first).to_be_visible()
    tab.get_by_label("Time zone").select_option("UTC")
    expect(tab.get_by_text("+00:00").first).to_be_visible()


def test_it_works_without_scripts(open_tab: Open, addresses: list[str]) -> None:
    tab = open_tab(java_script_enabled=False)
    for address in addresses:
        answer = tab.goto(address)
        assert answer is not None
        assert answer.ok


@pytest.fixture
def long_job(admin: Db) -> Iterator[int]:
    """Return a job that runs until it is cancelled."""
    job = value(
        admin,
        "SELECT pgagent_py.add_job('long one', batch => %s)",
        "#!/bin/sh\necho started\nexec sleep 1000",
    )
    yield job
    admin.execute("DELETE FROM pgagent.pga_job WHERE jobid = %s", [job])


def test_a_run_is_followed_live_and_cancelled(
    open_tab: Open, admin: Db, web_cluster: Cluster, launcher: StartLauncher, long_job: int
) -> None:
    launcher(web_cluster.conninfo("web"))
    tab = open_tab("operator")
    tab.goto("/")
    tab.evaluate("window.same = true")
    wait_for(lambda: value(admin, "SELECT count(*) FROM pgagent_py.launchers"), what="the launcher")
    call(admin, "run_now", long_job)
    running = tab.locator("section", has_text="Running now").get_by_role("link", name="long one")
    expect(running).to_be_visible(timeout=SECONDS)
    assert tab.evaluate("window.same"), "the page was loaded again"
    running.click()
    expect(tab.get_by_text("started", exact=True)).to_be_visible(timeout=SECONDS)
    tab.get_by_role("button", name="Cancel this run").click()
    expect(tab.get_by_text("aborted").first).to_be_visible(timeout=SECONDS)
    status = "SELECT jlgstatus FROM pgagent.pga_joblog WHERE jlgjobid = %s"
    wait_for(lambda: value(admin, status, long_job) == "d", what="the end of the run")
