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
TITLE = "(document.querySelector('#payload h1')?.textContent ?? '')"
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
        # By its inventory id, which has spaces and all else that an address may not have.
        browser.evaluate(
            "[...document.querySelectorAll('.ids a')].find((link) => link.text.includes('javascript:')).click()"
        )
        browser.wait_for(f"{TITLE}.startsWith('Payloads with this inventory id')", "the payloads of its inventory id")
        check_untouched(checks, browser, "the payloads of an inventory id")
        check_partitions(checks, browser)
        check_untouched(checks, browser, "the partitions")
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


def check_partitions(checks: Checks, browser: Browser) -> None:
    """What several instances, which this scenario does not have, would say of their partitions."""
    copies = [("tracker-1", 0, True), ("tracker-2", 1234, True), (HOSTILE, 7, False)]
    running = {
        "partition": 0,
        "state": "running",
        "owner": "tracker-0",
        "url": "http://tracker-0:8080",
        "position": 5,
        "end_offset": 8,
        "lag": 3,
        "restore_remaining": 0,
        "payloads": 41,
        "standbys": [
            {"instance": name, "url": None, "position": 1, "lag": lag, "complete": complete}
            for name, lag, complete in copies
        ],
    }
    silent = running | {
        "partition": 1,
        "state": None,
        "position": None,
        "end_offset": None,
        "lag": None,
        "standbys": [],
    }
    answer = json.dumps({"data": [running, silent], "input": []})
    browser.evaluate(
        "window.asked = window.fetch; window.fetch = (path, options) => String(path).endsWith('v1/partitions')"
        f" ? Promise.resolve(new Response({json.dumps(answer)})) : window.asked(path, options)"
    )
    browser.evaluate("location.hash = '#?account=540155'; 0")
    text = browser.wait_for(
        "(document.querySelector('#partitions tbody')?.innerText ?? '').includes('stands by')"
        " && document.querySelector('#partitions').innerText",
        "the standbys",
    )
    told = (
        "3 standbys, 2 complete: 1,234 records behind",
        "tracker-0",
        "stands by, up to date",
        "1,234 behind",
        "silent",
    )
    for words in (*told, "7 to go until it can answer", "<script>"):
        checks.that(words in text, f"the partitions do not show {words!r} but {text!r}")
    for size in ((1400, 1000, False), PHONE):
        browser.resize(*size)
        checks.that(fits(browser), f"with its partitions the page is wider than {size[0]} pixels")
        hidden = browser.evaluate(
            "[...document.querySelectorAll('#partitions bdi')].filter((name) => name.clientWidth < 60).length"
        )
        checks.equal(f"instances without room for their names at {size[0]} pixels", hidden, 0)


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
