"""A headless Chromium, driven over its DevTools protocol: what a person at the page does and sees."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import websocket

from brokers import remove
from checks import Failed, Skipped

WAIT_SECONDS = 30
EXECUTABLES = ("chromium", "chromium-browser", "google-chrome")


class Browser:
    def __init__(self, directory: Path):
        executable = next(filter(None, map(shutil.which, EXECUTABLES)), None)
        if executable is None:
            raise Skipped("there is no Chromium: apt-get install chromium")
        directory.mkdir(parents=True, exist_ok=True)
        self.profile = Path(tempfile.mkdtemp(dir=directory))
        # Its sandbox does not work for root, who runs CI.
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        self.process = subprocess.Popen(
            [
                executable,
                "--headless",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--remote-debugging-port=0",
                f"--user-data-dir={self.profile}",
                *sandbox,
                "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.calls = 0
        # What the page complained of: exceptions, and what its policy forbade.
        self.complaints: list[str] = []
        try:
            self.socket = self._connect()
        except BaseException:
            self.process.kill()
            raise
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def _connect(self) -> websocket.WebSocket:
        port_file = self.profile / "DevToolsActivePort"
        deadline = time.monotonic() + WAIT_SECONDS
        while not port_file.exists() or not port_file.read_text():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise Failed("Chromium does not start")
            time.sleep(0.1)
        port = port_file.read_text().split()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=WAIT_SECONDS) as answer:
            targets = json.load(answer)
        url = next(target["webSocketDebuggerUrl"] for target in targets if target["type"] == "page")
        return websocket.create_connection(url, timeout=WAIT_SECONDS, suppress_origin=True)

    def call(self, method: str, **parameters) -> dict:
        self.calls += 1
        self.socket.send(json.dumps({"id": self.calls, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.calls:
                if "error" in message:
                    raise Failed(f"{method}: {message['error']}")
                return message["result"]
            self._note(message)

    def _note(self, message: dict) -> None:
        parameters = message.get("params", {})
        if message.get("method") == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description") or details["text"])
        elif message.get("method") == "Log.entryAdded" and parameters["entry"]["source"] == "security":
            self.complaints.append(parameters["entry"]["text"])

    def evaluate(self, expression: str):
        """The value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise Failed(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def open(self, url: str) -> None:
        # A new document even where only the fragment differs.
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete' && location.protocol !== 'about:'", f"{url} to load")

    def wait_for(self, expression: str, what: str, seconds: float = WAIT_SECONDS):
        deadline = time.monotonic() + seconds
        while True:
            value = self.evaluate(expression)
            if value:
                return value
            if time.monotonic() > deadline:
                raise Failed(f"waited {seconds} s for {what}; the page says:\n{self.text()[:1500]}")
            time.sleep(0.1)

    def text(self) -> str:
        return self.evaluate("document.body.innerText") or ""

    def type(self, text: str) -> None:
        """As from a keyboard, where the focus is."""
        self.call("Input.insertText", text=text)

    def press(self, key: str, code: int, text: str = "") -> None:
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                **({"text": text} if text and kind == "keyDown" else {}),
            )

    def resize(self, width: int, height: int, is_phone: bool = False) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=is_phone
        )

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def close(self) -> None:
        self.socket.close()
        self.process.terminate()
        try:
            self.process.wait(WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        remove(self.profile)
