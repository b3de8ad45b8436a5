"""@ lines written in pgAdmin's own dialogs: refused there, set, run by a launcher, and shown again."""

from playwright.sync_api import Locator, Page, expect

from tests.conftest import StartLauncher
from tests.helpers import Db, rows, wait_for_row
from tests.helpers.waiting import PATIENCE

expect.set_options(timeout=PATIENCE * 1000)
JOB, STEP, SCHEDULE = "Loads.\n@timeout 30 min", "@retries 3\n@retry_delay 0", "@every 15 s"
OPTIONS = """
    SELECT j.timeout::text, s.retries, c.every::text FROM pgagent_py.job_options j
      JOIN pgagent_py.step_options s USING (jobid) JOIN pgagent_py.schedule_options c USING (jobid)"""


def shown(page: Page, selector: str) -> Locator:
    """Return what is to be seen of it, the newest: a row and its form have fields of the same names."""
    return page.locator(f"{selector}:visible").last


def choose(page: Page, node: str, *menu: str) -> None:
    """Choose from the menu of a node of the tree."""
    page.get_by_text(node, exact=True).first.click(button="right")
    for word in menu[:-1]:
        page.get_by_role("menuitem").filter(has_text=word).first.hover()
    page.get_by_role("menuitem", name=menu[-1]).last.click()


def tab(page: Page, name: str) -> None:
    """Go to a tab of the dialog."""
    page.get_by_role("tab", name=name).last.click()


def add_row(page: Page) -> None:
    """Add a row of the dialog's table, and open its form."""
    page.locator('button[data-test="add-row"]:visible').first.click()
    page.locator('button[data-test="expand-row"]:visible').first.click()


def save(page: Page) -> None:
    page.get_by_role("button", name="Save").last.click()


def test_lines_are_set_run_and_shown_again(
    page: Page, db: Db, database: str, launcher: StartLauncher
) -> None:
    launcher(database)
    choose(page, "pgAgent Jobs", "Create", "pgAgent Job...")
    shown(page, 'input[name="jobname"]').fill("load")
    shown(page, 'textarea[name="jobdesc"]').fill("Loads.\n@timeout soon")
    tab(page, "Steps")
    add_row(page)
    shown(page, 'input[name="jstname"]').fill("step")
    shown(page, 'textarea[name="jstdesc"]').fill(STEP)
    tab(page, "Code")
    shown(page, ".cm-content").fill("SELECT 1/0")
    tab(page, "Schedules")
    add_row(page)
    shown(page, 'input[name="jscname"]').fill("often")
    page.get_by_role("spinbutton", name="Year").locator("visible=true").nth(2).click()
    page.keyboard.type("20260101000000", delay=50)
    shown(page, 'textarea[name="jscdesc"]').fill(SCHEDULE)
    save(page)
    # The reason is the first line, and nothing has been saved
    expect(page.get_by_text("@timeout can't be read: invalid input syntax")).to_be_visible()
    assert rows(db, "SELECT FROM pgagent.pga_job") == []
    page.get_by_role("tab", name="General").first.click()
    shown(page, 'textarea[name="jobdesc"]').fill(JOB)
    save(page)
    # It has found its new job by the xmin
    page.get_by_text("load", exact=True).wait_for()
    assert rows(db, OPTIONS) == [("00:30:00", 3, "00:00:15")]
    tries = (
        "SELECT trigger FROM pgagent_py.run_history WHERE run_status = 'failure' AND try = 4 AND trigger = %s"
    )
    wait_for_row(db, tries, "schedule")
    choose(page, "load", "Run now")
    wait_for_row(db, tries, "run_now")
    choose(page, "load", "Properties...")
    expect(shown(page, 'textarea[name="jobdesc"]')).to_have_value(JOB)
    shown(page, 'textarea[name="jobdesc"]').fill("Loads.")
    save(page)
    wait_for_row(db, "SELECT FROM pgagent_py.job_options WHERE timeout IS NULL")
    choose(page, "load", "Drop")
    page.locator("button:visible", has_text="Drop").click()
    wait_for_row(db, "SELECT 1 WHERE NOT EXISTS (SELECT FROM pgagent.pga_job)")
