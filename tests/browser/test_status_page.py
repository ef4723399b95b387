"""The page /status in a real Chromium. Run by `nox -s browser` inside a rendered service.

With STATUS_PNG=<file> it leaves a picture of the page there.
"""

import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from chromium import Browser
from conftest import Service

PICTURE = os.environ.get("STATUS_PNG")
LOAD = 2500 if PICTURE else 250  # a picture wants more history than the assertions do


def log_in(tab: Browser, key: str) -> None:
    tab.evaluate(f"document.querySelector('#key').value = {key!r}")
    tab.evaluate("document.querySelector('#login button').click()")


def is_hidden(tab: Browser, selector: str) -> bool:
    return bool(tab.evaluate(f"document.querySelector({selector!r}).hidden"))


# Text below 4.5 times the lightness of what is behind it, as WCAG's level AA counts.
LOW_CONTRAST = """(() => {
  const channels = (color) => (color.match(/[\\d.]+/g) || []).map(Number);
  const lightness = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, at) => sum + c * [.2126, .7152, .0722][at], 0);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const color = channels(getComputedStyle(node).backgroundColor);
      if (color.length === 3 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll("body *")].filter((node) => node.offsetParent
    && [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()))
    .filter((node) => {
      const [a, b] = [lightness(channels(getComputedStyle(node).color)), lightness(behind(node))];
      return (Math.max(a, b) + .05) / (Math.min(a, b) + .05) < 4.5;
    }).map((node) => node.outerHTML);
})()"""


# What stands out of its box or of the screen, other than a table that can be scrolled.
TOO_WIDE = """
[...document.querySelectorAll("body *")].filter((node) => !node.closest(".scroll table, svg"))
  .filter((node) => node.getBoundingClientRect().right > innerWidth
    || node.clientWidth && node.scrollWidth > node.clientWidth && !node.matches(".scroll, input"))
  .map((node) => [node.tagName, node.id, node.className, node.clientWidth, node.scrollWidth,
    node.textContent.slice(0, 40)].join(" "))"""

# What the bar of a pool shows, and what it says.
METERS = """
[...document.querySelectorAll("[role=meter]")].map((meter) => [
  Math.round(100 * meter.firstChild.offsetWidth / meter.offsetWidth),
  Number(meter.getAttribute("aria-valuenow"))])"""


def test_the_page_shows_how_the_service_does(service: Service, tab: Browser) -> None:
    # Nobody sees anything without a key, and a wrong one is told apart from none.
    tab.open(f"{service.url}/status")
    tab.wait_for("the form", lambda: not is_hidden(tab, "#login"))
    assert is_hidden(tab, "#main")
    log_in(tab, "sk_wrong")
    tab.wait_for("a refusal", lambda: "lacks the scope admin" in tab.text("#why"))
    assert tab.complaints.pop().startswith("Failed to load resource")  # as a 401 always is
    tab.complaints.clear()
    log_in(tab, service.key)
    tab.wait_for("the figures", lambda: not is_hidden(tab, "#main"))

    # Load, a leak, and an outage of Redis that ends.
    with ThreadPoolExecutor(6) as pool:
        work = [pool.submit(service.trade, number) for number in range(LOAD)]
        service.client.get("/v1/reports/2026-11-22")
        service.redis.stop()
        tab.wait_for(
            "the outage", lambda: tab.text("#overall") == "degraded"
        )  # Redis is not required
        time.sleep(2)
        service.redis.start()
        tab.wait_for("the recovery", lambda: tab.text("#overall") == "healthy")
        tab.wait_for("the leak", lambda: "api/reports.py" in tab.text("#leaks"))
        # Before the rest of the load is done: the page's history has an end.
        assert re.search(r"\d\d:\d\d:\d\d to \d\d:\d\d:\d\d", tab.text("#health"))
        assert tab.evaluate("document.querySelectorAll('#health svg .bar.unhealthy').length") > 0
        if PICTURE:
            time.sleep(20)
            tab.screenshot(Path(PICTURE))
        for one in work:
            one.result()

    assert "/v1/reports/{day}" in tab.text("#leaks")
    assert "GET /v1/orders" in tab.text("#requests")
    meters = tab.evaluate(METERS)
    assert [drawn for drawn, _ in meters] == pytest.approx([said for _, said in meters], abs=1)
    assert len(meters) == 2
    assert tab.complaints == []  # no script failed, and nothing was forbidden to the page
    outside = [one for one in tab.addresses if not one.startswith((service.url, "data:"))]
    assert outside == []
    assert tab.evaluate(LOW_CONTRAST) == []
    assert tab.evaluate(TOO_WIDE) == []

    # In the dark, and on a phone.
    light = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    tab.open(f"{service.url}/status", width=360, height=740, scheme="dark")
    tab.wait_for("the figures", lambda: not is_hidden(tab, "#main"))  # the tab has kept the key
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") != light
    assert tab.evaluate(TOO_WIDE) == []
    assert tab.evaluate(LOW_CONTRAST) == []

    # What is shown is said to be old once the service is gone.
    service.process.terminate()
    tab.wait_for("the trouble", lambda: "can't be reached since" in tab.text("#trouble"))
    assert tab.text("#overall") == "unknown"
