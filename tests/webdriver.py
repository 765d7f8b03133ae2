# SPDX-License-Identifier: GPL-2.0-or-later
"""A browser without a window, by WebDriver (https://www.w3.org/TR/webdriver2/): as much of it as a
test of a page needs, with nothing but the standard library."""
import base64
import json
import os
import re
import shutil
import struct
import subprocess
import urllib.error
import urllib.request
import zlib

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
TIMEOUT_SECONDS = 60
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


def find():
    """Driver and browser, or None."""
    driver = shutil.which("chromedriver")
    browser = next((found for found in map(shutil.which, BROWSERS) if found), None)
    return (driver, browser) if driver and browser else None


class Failed(Exception):
    """What the driver says is wrong."""


class Browser:
    def __init__(self, driver, browser):
        # Port 0: the system picks one, and the driver says which. It listens on loopback.
        self.process = subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE, text=True)
        self.session = None
        try:
            self.base = "http://127.0.0.1:%d" % self.read_port()
            self.open_session(browser)
        except BaseException:
            self.close()
            raise

    def read_port(self):
        for line in self.process.stdout:
            match = re.search(r"successfully on port (\d+)", line)
            if match:
                return int(match.group(1))
        raise Failed("chromedriver ended before it listened")

    def open_session(self, browser):
        arguments = ["--headless=new", "--disable-gpu", "--window-size=1440,900",
                     "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking"]
        wanted = {"browserName": "chrome",
                  "goog:chromeOptions": {"binary": browser, "args": arguments},
                  "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"}}
        # Its sandbox refuses root, and does not start everywhere else.
        if os.geteuid() == 0 or not self.try_session(wanted):
            arguments.append("--no-sandbox")
            self.start_session(wanted)

    def try_session(self, wanted):
        try:
            self.start_session(wanted)
        except Failed:
            return False
        return True

    def start_session(self, wanted):
        opened = self.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.session = opened["sessionId"]

    def call(self, method, path, body=None):
        prefix = "/session/" + self.session if self.session else ""
        data = json.dumps(body or {}).encode() if method == "POST" else None
        request = urllib.request.Request(self.base + prefix + path, data=data, method=method,
                                         headers={"Content-Type": "application/json"})
        # A proxy of the environment's is not for us.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise Failed(error.read().decode("utf-8", "replace")[:2000]) from None

    def close(self):
        try:
            if self.session:
                self.call("DELETE", "")
        finally:
            self.process.terminate()
            self.process.wait(TIMEOUT_SECONDS)
            self.process.stdout.close()

    def go(self, url):
        self.call("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        """The value that the script returns."""
        return self.call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def run_async(self, script, *arguments):
        """The value that the script hands to its last argument."""
        return self.call("POST", "/execute/async", {"script": script, "args": list(arguments)})

    def resize(self, width, height):
        """Of what the page sees, whatever a window has around it."""
        self.cdp("Emulation.setDeviceMetricsOverride",
                 {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})

    def cdp(self, command, parameters):
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def log(self, kind):
        return self.call("POST", "/se/log", {"type": kind})

    def press(self, *keys):
        """To whatever has the focus; a key is a character, or its name in `KEYS`."""
        actions = []
        for key in keys:
            value = KEYS.get(key, key)
            actions += [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]
        self.call("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def click(self, selector):
        found = self.call("POST", "/element", {"using": "css selector", "value": selector})
        self.call("POST", "/element/%s/click" % found[ELEMENT])

    def picture(self, width, height, scale):
        """What is seen, as a list of rows of (red, green, blue)."""
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": scale}
        answer = self.cdp("Page.captureScreenshot", {"format": "png", "clip": clip})
        return read_png(base64.b64decode(answer["data"]))


KEYS = {"Tab": "\ue004", "Enter": "\ue007", "Escape": "\ue00c", "Down": "\ue015", "Up": "\ue013",
        "Left": "\ue012", "Right": "\ue014", "PageDown": "\ue00f", "PageUp": "\ue00e",
        "End": "\ue010", "Home": "\ue011"}


def paeth(left, above, corner):
    guess = left + above - corner
    distances = [(abs(guess - value), order, value)
                 for order, value in enumerate((left, above, corner))]
    return min(distances)[2]


def read_png(data):
    """A PNG file of 8 bits a channel, not interlaced, as Chromium writes it (ISO/IEC 15948)."""
    at, packed, width, channels = 8, b"", 0, 0
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, _, depth, colour = struct.unpack(">IIBB", body[:10])
            channels = {2: 3, 6: 4}[colour]
            assert depth == 8 and body[12] == 0
        elif kind == b"IDAT":
            packed += body
        at += 12 + length
    return unfilter(zlib.decompress(packed), width * channels, channels)


def unfilter(raw, line_bytes, channels):
    rows, above = [], bytearray(line_bytes)
    for start in range(0, len(raw), line_bytes + 1):
        kind, line = raw[start], bytearray(raw[start + 1:start + 1 + line_bytes])
        for i in range(line_bytes if kind else 0):
            left = line[i - channels] if i >= channels else 0
            corner = above[i - channels] if i >= channels else 0
            guess = (0, left, above[i], (left + above[i]) // 2, 0)[kind]
            if kind == 4:
                guess = paeth(left, above[i], corner)
            line[i] = (line[i] + guess) & 0xFF
        rows.append([tuple(line[i:i + 3]) for i in range(0, line_bytes, channels)])
        above = line
    return rows
