"""Chromium without a window, for tests of pages: clicks, keys, sizes and what is seen."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

__all__ = ["CHROMIUM", "Browser", "Tab"]

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
"""The browser that is installed here, or None."""


class Browser:
    """A running Chromium, driven over its debugging protocol."""

    def __init__(self, profile: Path) -> None:
        assert CHROMIUM
        self._profile = profile
        self._process = subprocess.Popen(
            [
                *(CHROMIUM, "--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio"),
                *("--autoplay-policy=no-user-gesture-required", "--no-first-run", "--disable-background-networking"),
                *("--remote-debugging-port=0", f"--user-data-dir={profile}", "--window-size=1100,900"),
                *(["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
                "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=20)

    @contextmanager
    def open(self, address: str, *, phone: bool = False, **media: str) -> Iterator[Tab]:
        """A new tab with a page, loaded. ``media`` are features: ``prefers_color_scheme="dark"``."""
        request = urllib.request.Request(f"http://127.0.0.1:{self._port()}/json/new?about:blank", method="PUT")
        with urllib.request.urlopen(request, timeout=20) as answer:
            target = json.load(answer)
        with connect(target["webSocketDebuggerUrl"], max_size=None, open_timeout=20) as socket:
            tab = Tab(socket)
            tab.call("Page.enable")
            tab.call("Runtime.enable")
            tab.call("Network.enable")
            features = [{"name": name.replace("_", "-"), "value": value} for name, value in media.items()]
            tab.call("Emulation.setEmulatedMedia", features=features)
            if phone:
                tab.call("Emulation.setDeviceMetricsOverride", width=375, height=740, deviceScaleFactor=1, mobile=True)
                tab.call("Emulation.setTouchEmulationEnabled", enabled=True)
            tab.call("Page.navigate", url=address)
            tab.wait("location.href !== 'about:blank' && document.readyState === 'complete'")
            yield tab
            tab.call("Page.close")

    def _port(self) -> int:
        file = self._profile / "DevToolsActivePort"
        for _ in range(200):
            if file.exists() and (lines := file.read_text().splitlines()):
                return int(lines[0])
            assert self._process.poll() is None, "Chromium has ended"
            time.sleep(0.1)
        raise AssertionError("Chromium opened no port for debugging")


class Tab:
    """A page as a reader has it.

    Attributes:
        errors: what the page's scripts threw.
        asked: addresses that were fetched, without ``data:`` and ``blob:``.
    """

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._number = 0
        self.errors: list[str] = []
        self.asked: list[str] = []

    def call(self, method: str, **params: Any) -> Any:
        """One command of the debugging protocol."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while (said := json.loads(self._socket.recv(timeout=60))).get("id") != self._number:
            if said.get("method") == "Runtime.exceptionThrown":
                self.errors.append(json.dumps(said["params"]["exceptionDetails"]))
            if said.get("method") == "Network.requestWillBeSent":
                url = said["params"]["request"]["url"]
                self.asked += [] if url.startswith(("data:", "blob:")) else [url]
        assert "error" not in said, said
        return said["result"]

    def run(self, script: str) -> Any:
        """The value of an expression, or of its promise."""
        said = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    def wait(self, condition: str, seconds: float = 60) -> None:
        """Until an expression is true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if self.run(f"Boolean({condition})"):
                    return
            except AssertionError as error:
                # A tab leaves its empty page for the address, which ends what is evaluated there.
                if "context" not in str(error):
                    raise
            time.sleep(0.05)
        raise AssertionError(f"never true: {condition}")

    def point(self, selector: str) -> tuple[float, float]:
        """Scroll to an element, move the mouse over its middle, and return where that is."""
        # The page behind is looked at: what lies over the element would get the click.
        x, y = self.run(
            f"""(() => {{ const one = document.querySelector({json.dumps(selector)});
            one.scrollIntoView({{block: "center", behavior: "instant"}});
            const box = one.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()"""
        )
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        return x, y

    def click(self, selector: str) -> None:
        """A click of the mouse in the middle of an element."""
        x, y = self.point(selector)
        for what in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=what, x=x, y=y, button="left", clickCount=1)

    def tap(self, selector: str) -> None:
        """A finger's tap in the middle of an element."""
        x, y = self.run(
            f"""(() => {{ const one = document.querySelector({json.dumps(selector)});
            one.scrollIntoView({{block: "center", behavior: "instant"}});
            const box = one.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()"""
        )
        self.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def press(self, key: str) -> None:
        """A key, such as ``Tab``, ``Enter`` or ``Escape``."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27}
        text = {"text": "\r"} if key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=codes[key], **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=codes[key])

    def picture(self) -> bytes:
        """What is seen, as a PNG file."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
