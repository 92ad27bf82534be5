"""Tries a service that wants keys in headless Chromium: from its own page, and from pages of other origins.

    strangers.py SERVICE KEY LISTED OTHER    prints what came of it as JSON

LISTED and OTHER are the addresses of pages; the service lets pages of LISTED ask, and not those of OTHER.
"""

import json
import sys

from page import browser

ASK = """
fetch("%s/predict", {method: "POST", headers: {"content-type": "application/json", %s}, body: JSON.stringify(
  {age: 24, charge: 99.5, member: true, plan: "gold"})})
.then(async (r) => ({status: r.status, id: r.headers.get("x-request-id"), answer: await r.json()}))
.catch((error) => ({status: 0, error: error.name}))
"""


def asked(page, service, key):
    header = f'"x-api-key": "{key}"' if key else ""
    expression = ASK % (service, header)
    return page.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)["result"]["value"]


def visit(page, url):
    page.call("Page.navigate", url=url)
    page.wait(f"location.href.startsWith('{url}') && document.readyState === 'complete'")


def main(service, key, listed, other):
    with browser() as page:
        for domain in ("Page", "Network", "Runtime"):
            page.call(f"{domain}.enable")
        visit(page, listed)
        shown = {"listed": asked(page, service, key), "keyless": asked(page, service, None)}
        visit(page, other)
        shown["other"] = asked(page, service, key)

        visit(page, service)
        page.wait("document.getElementById('health').textContent === 'needs a key'")
        shown["is_asked_for"] = page.js("!document.getElementById('locked').hidden")
        page.press()
        page.wait("document.querySelector('#answer .error') !== null")
        shown["refused"] = page.js("document.querySelector('#answer .error').textContent")
        page.js("document.getElementById('key').focus()")
        page.call("Input.insertText", text=key)
        page.js("document.getElementById('key').blur()")
        page.wait("document.getElementById('health').textContent === 'pass'")
        page.press()
        page.wait("document.querySelector('#answer meter') !== null")
        shown["answer"] = page.js("document.getElementById('answer').textContent")
        shown["request"] = page.js("document.getElementById('request').textContent")
        print(json.dumps(shown))


if __name__ == "__main__":
    main(*sys.argv[1:])
