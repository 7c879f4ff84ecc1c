"""The page for people, in a browser."""

from __future__ import annotations

import json
from contextlib import closing

import sequences
from app import App
from browser import Browser
from checks import Checks
from scenarios import Context, scenario
from scenarios.lifecycles import send_upload
from tracker import Tracker

ENTER, TAB = ("Enter", 13, "\r"), ("Tab", 9)
TITLE = "document.querySelector('#payload h1')?.textContent ?? ''"
PHONE = (390, 844, True)
HOSTILE = (
    "<img src=x onerror=\"window.owned='img'\"><script>window.owned='script'</script>"
    "</script><svg onload=\"window.owned='svg'\"> \u202e\u001b[31m{{nonce}} ${window.owned='template'}"
)


def send_hostile(app: App, payload_id: str) -> None:
    """Markup in every field that a producer can fill."""
    message = {
        "request_id": payload_id,
        "service": "<b>puptoo</b><script>window.owned='service'</script>",
        "source": "\"><img src=x onerror=window.owned='source'>",
        "status": "error",
        "status_msg": HOSTILE,
        "account": "<i>540155</i>",
        "org_id": "javascript:window.owned='org'",
        "inventory_id": "<a href=javascript:window.owned='id'>",
        "date": "2024-01-02T03:04:05Z",
    }
    app.send(json.dumps(message).encode())


def fits(browser: Browser) -> bool:
    """Whether nothing has to be scrolled sideways."""
    return browser.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def check_complaints(checks: Checks, browser: Browser) -> None:
    checks.equal("what the browser complained of", browser.complaints, [])


@scenario("topics")
def page_tells_why(context: Context) -> None:
    """A person with an id at hand would not learn from the page why the payload failed."""
    app = context.app().create_input()
    tracker = app.start().wait_until_ready()
    payload_id = send_upload(app, sequences.extraction_fails())
    tracker.wait_for(lambda: (tracker.document(payload_id) or {}).get("outcome") == "failed", "to tell of the failure")
    checks = Checks()
    with closing(Browser(app.directory)) as browser:
        # Three actions: the address, the id, Enter. The field has the focus.
        browser.open(f"http://127.0.0.1:{tracker.port}/")
        browser.type(f" {payload_id.upper()} ")
        browser.press(*ENTER)
        title = browser.wait_for(TITLE, "the answer")
        checks.that(
            title.startswith("Failed in puptoo: Unable to extract facts of advisor service: tarfile.ReadError"),
            f"the first line is {title!r}",
        )
        checks.equal("what has the focus", browser.evaluate("document.activeElement.tagName"), "H1")
        count = len(sequences.extraction_fails())
        browser.wait_for(
            f"document.querySelectorAll('table.history tbody tr').length === {count}",
            f"{count} messages in the history",
        )
        text = browser.text()
        for words in ("ingress", "storage-broker", "copied payload to insights-dev-upload-rejected", "540155"):
            checks.that(words in text, f"the page does not show {words!r}")
        checks.that(fits(browser), "the page is wider than the window")
        browser.screenshot(app.directory / "payload.png")
        browser.resize(*PHONE)
        checks.that(fits(browser), "the page is wider than a phone")
        browser.screenshot(app.directory / "payload-phone.png")
        browser.open(f"http://127.0.0.1:{tracker.port}/?id={payload_id}")
        checks.equal("the title behind a link", browser.wait_for(TITLE, "the answer to the link"), title)
        browser.open(f"http://127.0.0.1:{tracker.port}/#{'0' * 32}")
        unknown = browser.wait_for(TITLE, "the answer for an unknown payload")
        checks.that("No payload is known" in unknown, f"for an unknown payload it says {unknown!r}")
        check_complaints(checks, browser)
    checks.done()


@scenario("topics")
def page_keeps_text_text(context: Context) -> None:
    """Whoever can send a status message could run a script in the browser of whoever looks at it."""
    app = context.app().create_input()
    tracker = app.start().wait_until_ready()
    checks = Checks()
    with closing(Browser(app.directory)) as browser:
        browser.open(f"http://127.0.0.1:{tracker.port}/")
        browser.wait_for("document.querySelector('#connection.live') !== null", "the stream")
        payload_id = "<img src=y onerror=window.owned='payload'>"
        send_hostile(app, payload_id)
        row = browser.wait_for("document.querySelector('#feed tbody tr')?.textContent ?? ''", "the failure in the feed")
        checks.that(HOSTILE[:40] in row, f"the feed shows {row!r}")
        check_untouched(checks, browser, "the overview")
        browser.evaluate("document.querySelector('#feed tbody a').click()")
        title = browser.wait_for(TITLE, "the payload")
        checks.that(HOSTILE[:60] in title, f"the sentence is {title!r}")
        checks.that("\u202e" not in browser.text(), "a character that turns the direction of writing is on the page")
        check_untouched(checks, browser, "the payload")
        check_complaints(checks, browser)
    checks.done()


def check_untouched(checks: Checks, browser: Browser, what: str) -> None:
    """No script ran, and none of the sent markup became an element."""
    checks.equal(f"{what}: what took it over", browser.evaluate("window.owned ?? null"), None)
    counts = browser.evaluate(
        "['script', 'img', 'i:not(.lane i)', 'b:not(.lane b)', '[onload]', '[onerror]', '[href^=javascript]']"
        ".map((selector) => document.querySelectorAll(selector).length)"
    )
    checks.equal(f"{what}: elements that were sent", counts, [1, 0, 0, 0, 0, 0, 0])


@scenario("topics")
def page_is_live(context: Context) -> None:
    """Operators would not see what fails until they reload, nor use the page without a mouse."""
    app = context.app().create_input()
    tracker = app.start().wait_until_ready()
    checks = Checks()
    with closing(Browser(app.directory)) as browser:
        browser.open(f"http://127.0.0.1:{tracker.port}/")
        browser.wait_for("document.querySelector('#connection.live') !== null", "the stream")
        payload_id = send_upload(app, sequences.extraction_fails())
        for place in ("feed", "failed"):
            browser.wait_for(
                f"document.querySelector('#{place}')?.textContent.includes('{payload_id}')", f"it in {place}"
            )
        checks.that(fits(browser), "the overview is wider than the window")
        browser.screenshot(app.directory / "overview.png")
        reached = reach_by_tab(browser, payload_id)
        checks.that(reached, "Tab does not lead to the failed payload")
        if reached:
            browser.press(*ENTER)
            browser.wait_for(f"{TITLE}.startsWith('Failed in puptoo')", "the payload after Enter")
        check_complaints(checks, browser)
        check_outage(checks, browser, tracker)
    checks.done()


def reach_by_tab(browser: Browser, payload_id: str, most: int = 40) -> bool:
    for _ in range(most):
        browser.press(*TAB)
        if browser.evaluate(f"document.activeElement.getAttribute('href') === '#{payload_id}'"):
            return True
    return False


def check_outage(checks: Checks, browser: Browser, tracker: Tracker) -> None:
    """The page says that it is not kept up, and keeps what it shows."""
    tracker.kill()
    browser.wait_for("document.querySelector('#connection').textContent === 'not live'", "the page to notice")
    checks.that("Failed in puptoo" in browser.text(), "what was shown is gone when the tracker is")
