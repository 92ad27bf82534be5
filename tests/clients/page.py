"""Tries the service's page in headless Chromium, as a person would.

    page.py URL DIR    writes DIR/wide.png and DIR/narrow.png, prints what the page showed as JSON

Speaks the DevTools protocol: fills in the form, clicks the button, and reads what is on the page.
"""

import base64
import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

import websocket


class Page:
    """A tab of a browser."""

    def __init__(self, address):
        self.socket = websocket.create_connection(address, timeout=30, suppress_origin=True)
        self.n, self.requests, self.complaints = 0, [], []

    def call(self, method, **params):
        self.n += 1
        self.socket.send(json.dumps({"id": self.n, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.n:
                assert "error" not in message, message
                return message["result"]
            self.note(message)

    def note(self, message):
        params = message.get("params", {})
        if message["method"] == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        if message["method"] == "Runtime.exceptionThrown":
            self.complaints.append(params["exceptionDetails"]["text"])
        if message["method"] == "Log.entryAdded" and params["entry"]["source"] != "network":
            self.complaints.append(params["entry"]["text"])

    def js(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait(self, expression):
        for _ in range(300):
            if self.js(expression):
                return
            time.sleep(0.1)
        raise SystemExit(f"waited for {expression}")

    def type(self, field, text):
        """Selects what is in a field and types over it, key by key."""
        self.js(f"document.getElementById('field-{field}').select()")
        self.call("Input.insertText", text=text)

    def press(self):
        """Clicks the button in its middle, with the mouse."""
        self.js("document.querySelector('button').scrollIntoView({block: 'center'})")
        place = self.js(
            "(() => { const r = document.querySelector('button').getBoundingClientRect();"
            "return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)

    def shoot(self, path, width):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        overflow = self.js("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        assert not overflow, f"the page is wider than {width} pixels"
        data = self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))


def tried(page, url, directory):
    for domain in ("Page", "Network", "Runtime", "Log"):
        page.call(f"{domain}.enable")
    page.call("Page.navigate", url=url)
    page.wait("document.getElementById('health')?.textContent === 'pass'")
    shown = {"title": page.js("document.title"), "hint": page.js("document.getElementById('field-age-hint').textContent")}

    page.type("age", "1000")
    page.press()
    page.wait("document.getElementById('field-age-error').textContent !== ''")
    shown["error"] = page.js("document.getElementById('field-age-error').textContent")
    shown["is_marked"] = page.js("document.getElementById('field-age').getAttribute('aria-invalid')")

    page.type("age", "24")
    page.press()
    page.wait("document.getElementById('parts') !== null")
    shown["answer"] = page.js("document.getElementById('answer').textContent")
    shown["parts"] = page.js("[...document.querySelectorAll('#parts .name')].map((name) => name.textContent)")
    shown["record"] = page.js("record()")
    shown["card"] = page.js("document.getElementById('card').textContent.length")
    page.shoot(f"{directory}/wide.png", 1200)
    page.shoot(f"{directory}/narrow.png", 380)
    shown["elsewhere"] = [r for r in page.requests if not r.startswith((url, "data:"))]
    shown["complaints"] = page.complaints
    return shown


@contextlib.contextmanager
def browser():
    """A browser's only tab, for as long as it is needed."""
    # The browser's children may still write while it is removed.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                 "--remote-debugging-port=0", f"--user-data-dir={profile}", "--no-first-run", "about:blank"]
        process = subprocess.Popen(["chromium", *flags], stderr=subprocess.PIPE, text=True)
        try:
            for line in process.stderr:
                if found := re.search(r"listening on ws://([^/]+)/", line):
                    break
            with urllib.request.urlopen(f"http://{found[1]}/json") as tabs:
                tab = next(tab for tab in json.load(tabs) if tab["type"] == "page")
            yield Page(tab["webSocketDebuggerUrl"])
        finally:
            process.terminate()
            process.wait()


def main(url, directory):
    with browser() as page:
        print(json.dumps(tried(page, url, directory)))


if __name__ == "__main__":
    main(*sys.argv[1:])
