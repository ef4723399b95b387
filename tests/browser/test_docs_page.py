"""The page /docs in a real Chromium, which may load nothing from elsewhere.

With DOCS_PNG=<file> it leaves a picture of the page there.
"""

import os
from pathlib import Path

from chromium import Browser
from conftest import Service

PICTURE = os.environ.get("DOCS_PNG")
TAGS = "[...document.querySelectorAll('.opblock-tag')].map((tag) => tag.dataset.tag)"
KEPT = "localStorage.getItem('authorized')"


def is_there(tab: Browser, selector: str) -> bool:
    return bool(tab.evaluate(f"!!document.querySelector({selector!r})"))


def click(tab: Browser, selector: str) -> None:
    tab.wait_for(selector, lambda: is_there(tab, selector))
    tab.evaluate(f"document.querySelector({selector!r}).click()")


def enter(tab: Browser, selector: str, text: str) -> None:
    """Type as a person does: React does not look at an assigned value."""
    tab.evaluate(f"document.querySelector({selector!r}).focus()")
    tab.do("Input.insertText", text=text)


def test_the_documentation_tries_a_route_out_and_keeps_the_key(
    service: Service, tab: Browser
) -> None:
    tab.open(f"{service.url}/docs")
    tab.wait_for("the routes", lambda: bool(tab.evaluate(TAGS)))
    if PICTURE:
        tab.screenshot(Path(PICTURE))
    assert tab.evaluate(TAGS)[0] == "orders"
    assert "health" in tab.evaluate(TAGS)

    click(tab, ".authorize")
    tab.wait_for("a form", lambda: is_there(tab, ".modal-ux input"))
    enter(tab, ".modal-ux input", service.key)
    click(tab, ".modal-ux button.authorize")
    click(tab, ".modal-ux button.btn-done")
    assert service.key in tab.evaluate(KEPT)

    tab.open(f"{service.url}/")
    tab.open(f"{service.url}/docs#/orders/list_orders")
    click(tab, "#operations-orders-list_orders .try-out__btn")
    click(tab, "#operations-orders-list_orders .execute")
    answer = "#operations-orders-list_orders .live-responses-table .response .response-col_status"
    tab.wait_for("an answer", lambda: is_there(tab, answer))
    assert tab.text(answer).startswith("200")

    assert tab.complaints == []  # no script failed, and nothing was forbidden to the page
    outside = [one for one in tab.addresses if not one.startswith((service.url, "data:"))]
    assert outside == []
