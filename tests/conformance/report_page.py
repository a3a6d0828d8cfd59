#!/usr/bin/env python3
"""Open reports of `spanql report` in a real, headless Chromium.

Makes a store of demo spans and of spans whose every text is an attack (HTML, SVG, CSS, Markdown, terminal sequences, hidden
characters, 5 MB), renders the built-in reports and one whose blocks show all of that text, and loads each page: it fails on
any script that runs, request beyond the file itself, dialog, console message or violation of the page's own policy, and on
pages that scroll sideways at 1280 or 390 pixels. With --data, both built-in reports are also made of each recorded data
set there. --shots DIR keeps pictures, light and dark, wide and narrow. Prints `ok CASE` or `FAIL CASE: why`; the last line
is "N passed, N failed". Without a Chromium that can be installed it prints SKIPPED. Needs Python 3.11.
"""
import argparse
import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PAYLOADS = [
    "<script>window.hit=1;alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"><svg onload=alert(1)>",
    "' onmouseover='alert(1)' x='",
    "javascript:alert(1)",
    "[click](javascript:alert(1)) ![p](https://evil.example/p.png)",
    "</style><script>alert(1)</script>",
    "</title></head><body onload=alert(1)>",
    "</table></details><iframe src=https://evil.example></iframe>",
    "<style>@import url(https://evil.example/x.css);*{background:url(https://evil.example/y)}</style>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href=https://evil.example/><link rel=stylesheet href=x.css>",
    "</text></svg><script>alert(1)</script>",
    "<a xlink:href='javascript:alert(1)'><text>x</text></a>",
    "{{ all.input }} {{7*7}} ${alert(1)} `code` **bold** | cell |",
    "\x1b[31mred\x1b]8;;https://evil.example\x07link\x1b]8;;\x07 \x1b]52;c;ZXZpbA==\x07",
    "\u202egnp.exe\u2066\u200b\ufeff right to left",
    "&lt;script&gt;alert(1)&lt;/script&gt; &#60;b&#62;",
    "<!--<!ENTITY x SYSTEM \"file:///etc/passwd\">-->]]>",
    "w" * 3000,
    "<b>" * (5 << 20),
]

HOSTILE = """---
title: Everything of {{ all.input }}
description: "{{ all.name }}"
---

# {{ all.input }}

Text {{ all.input }}, `{{ all.name }}`, *{{ all.output }}*, {{ project }}. [good](https://example.com/) <b onclick=alert(1)>

| a |
| --- |
| {{ all.input }} |

```sql name=all caption="Of {{ all.input }}" expect="name = 'x'" chart="bar x=name y=n title='<script>alert(1)</script>'"
SELECT project, name, kind, input, output, status_message, model, session_id, user_id, attributes.custom, length(input) AS n
FROM spans WHERE project LIKE '%hostile%' ORDER BY span_id
```

```sql name=series chart="line x=day y=n series=name"
SELECT date_trunc('day', start_time) AS day, name, count(*) AS n FROM spans GROUP BY 1, 2 ORDER BY 1
```

```sql name=heat chart="heat x=model y=name value=n"
SELECT model, name, count(*) AS n FROM spans WHERE project LIKE '%hostile%' GROUP BY 1, 2 ORDER BY 2
```

```sql name=stack chart="stacked x=name y=n series=input unit='<img src=x onerror=alert(1)>'"
SELECT name, input, count(*) AS n FROM spans WHERE project LIKE '%hostile%' GROUP BY 1, 2 ORDER BY 1
```

```sql name=broken
SELECT "<script>alert(1)</script>" FROM spans
```
"""

# What the judge must not let pass, so that its silence says something.
FAULTY = {
    "a script": "<script>window.hit = 1</script>",
    "a handler": "<img alt=x src=data:, onerror='console.log(1)'>",
    "a request": "<style>body { background: url(https://evil.example/x.png) }</style>",
    "a violation": "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'\"><p style='color: red'>x",
    "a wide page": "<div style='width: 2000px'>x</div>",
}

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--bin", required=True, type=Path, help="the spanql binary")
parser.add_argument("--data", type=Path, help="a directory of NAME.spans.jsonl.gz")
parser.add_argument("--shots", type=Path, help="a directory for pictures")
args = parser.parse_args()
BIN = args.bin.resolve()


class Wrong(Exception):
    """What is wrong with a page, in words."""


def chromium():
    """The path of a Chromium, which is installed if it is missing and that can be done."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None and shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "-y", "-qq", "chromium"], capture_output=True, check=False)
        found = next(filter(None, map(shutil.which, names)), None)
    return found


class Browser:
    """A Chromium that is spoken to over two pipes: JSON messages that end in NUL."""

    def __init__(self, path, profile):
        to_read, self.write_end = os.pipe()
        self.read_end, to_write = os.pipe()
        command = [path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                   "--disable-background-networking", "--disable-component-update", "--disable-sync",
                   "--disable-dev-shm-usage", "--hide-scrollbars", f"--user-data-dir={profile}",
                   "--remote-debugging-pipe", "about:blank"]

        def give_pipes():
            # The numbers are fixed, and either end may have the number of the other.
            spare_in, spare_out = os.dup(to_read), os.dup(to_write)
            os.dup2(spare_in, 3)
            os.dup2(spare_out, 4)

        self.process = subprocess.Popen(command, preexec_fn=give_pipes, close_fds=False, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        self.buffer, self.last, self.events = b"", 0, []

    def send(self, method, session=None, **params):
        """Calls a method; gives its result. Events that come meanwhile are kept."""
        self.last += 1
        message = {"id": self.last, "method": method, "params": params} | ({"sessionId": session} if session else {})
        os.write(self.write_end, json.dumps(message).encode() + b"\0")
        wanted = self.last
        while True:
            answer = self.receive(60)
            if answer is None:
                raise Wrong(f"the browser does not answer {method}")
            if answer.get("id") == wanted:
                if "error" in answer:
                    raise Wrong(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def receive(self, seconds):
        """The next message; None when none comes in time."""
        end = time.monotonic() + seconds
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.read_end], [], [], max(0, end - time.monotonic()))
            if not ready:
                return None
            piece = os.read(self.read_end, 1 << 20)
            if not piece:
                raise Wrong("the browser has ended")
            self.buffer += piece
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def drain(self, seconds):
        """Keeps all events until nothing comes for so long."""
        while (message := self.receive(seconds)) is not None:
            self.events.append(message)

    def until(self, session, event):
        """Waits for an event."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if any(e.get("method") == event and e.get("sessionId") == session for e in self.events):
                return
            message = self.receive(end - time.monotonic())
            if message is not None:
                self.events.append(message)
        raise Wrong(f"no {event} within a minute")

    def close(self):
        """Ends the browser."""
        try:
            self.send("Browser.close")
        except (Wrong, OSError):
            self.process.kill()
        self.process.wait(20)


def look(browser, page, name):
    """Loads a page and fails on anything but its text; takes pictures if asked."""
    url = page.resolve().as_uri()
    target = browser.send("Target.createTarget", url="about:blank")["targetId"]
    session = browser.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    browser.drain(0.1)
    browser.events.clear()
    for domain in ("Page", "Network", "Log", "Runtime", "Debugger", "Audits"):
        browser.send(f"{domain}.enable", session)
    for width in (1280, 390):
        for scheme in ("light", "dark"):
            browser.send("Emulation.setDeviceMetricsOverride", session, width=width, height=900, deviceScaleFactor=1,
                         mobile=width < 500)
            browser.send("Emulation.setEmulatedMedia", session,
                         features=[{"name": "prefers-color-scheme", "value": scheme}])
            browser.events[:] = []
            browser.send("Page.navigate", session, url=url)
            browser.until(session, "Page.loadEventFired")
            browser.drain(0.2)
            check_events(browser.events, url)
            frame = browser.send("Page.getFrameTree", session)["frameTree"]
            if "childFrames" in frame:
                raise Wrong(f"frames in the page: {frame['childFrames']}")
            world = browser.send("Page.createIsolatedWorld", session, frameId=frame["frame"]["id"])["executionContextId"]
            result = browser.send("Runtime.evaluate", session, contextId=world, returnByValue=True, expression="""
              (() => { const root = document.documentElement, wide = root.clientWidth;
                const inside = element => element.closest('.scroll, .drawing, pre') !== null;
                const out = [...document.body.querySelectorAll('*')].filter(element => !inside(element.parentElement)
                  && element.getBoundingClientRect().right > wide + 1).map(element => element.outerHTML.slice(0, 120));
                return {page: root.scrollWidth, wide, out, scripts: document.scripts.length,
                  handlers: [...document.querySelectorAll('*')].filter(element => [...element.attributes]
                    .some(attribute => attribute.name.startsWith('on'))).length,
                  loads: document.querySelectorAll('[src],link,object,embed,iframe,base,form,image,use').length,
                  headings: document.querySelectorAll('h1').length} })()""")["result"]["value"]
            if result["page"] > result["wide"] or result["out"]:
                raise Wrong(f"{width} px: scrolls sideways: {result['page']} > {result['wide']}: {result['out'][:3]}")
            if result["scripts"] or result["handlers"] or result["loads"] or result["headings"] != 1:
                raise Wrong(f"what should not be there: {result}")
            if args.shots:
                size = browser.send("Page.getLayoutMetrics", session)["cssContentSize"]
                clip = {"x": 0, "y": 0, "width": width, "height": min(size["height"], 9000), "scale": 1}
                shot = browser.send("Page.captureScreenshot", session, format="png", captureBeyondViewport=True, clip=clip)
                args.shots.mkdir(parents=True, exist_ok=True)
                (args.shots / f"{name}-{width}-{scheme}.png").write_bytes(base64.b64decode(shot["data"]))
    browser.events[:] = []
    browser.send("Page.printToPDF", session, printBackground=True)
    check_events(browser.events, url)
    browser.send("Target.closeTarget", targetId=target)


def check_events(events, url):
    """Fails on whatever a page without script, network and faults does not cause."""
    for event in events:
        method, params = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent" and params["request"]["url"] != url:
            raise Wrong(f"a request for {params['request']['url'][:100]}")
        if method == "Debugger.scriptParsed":
            raise Wrong(f"a script: {params.get('url') or params.get('scriptId')}")
        if method in ("Page.javascriptDialogOpening", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
            raise Wrong(f"{method}: {json.dumps(params)[:200]}")
        if method == "Log.entryAdded":
            raise Wrong(f"the console says: {params['entry']['text'][:200]}")
        if method == "Audits.issueAdded":
            raise Wrong(f"an issue: {json.dumps(params['issue'])[:300]}")


def spanql(*arguments, codes=(0,), cwd=None):
    """Runs the binary, which must end with one of the codes."""
    done = subprocess.run([BIN, *map(str, arguments)], capture_output=True, cwd=cwd, check=False)
    if done.returncode not in codes:
        raise Wrong(f"exit {done.returncode}: {done.stderr.decode(errors='replace').strip()[-400:]}")
    return done


def hostile_spans(path):
    """Spans with a payload in every text."""
    with path.open("w") as out:
        for at, payload in enumerate(PAYLOADS):
            short = payload[:2000]
            row = {"context.trace_id": f"hostile-{at}", "context.span_id": f"span-{at:02}", "name": short,
                   "start_time": f"2026-10-{at % 28 + 1:02}T12:00:00Z", "end_time": f"2026-10-{at % 28 + 1:02}T12:00:01Z",
                   "attributes.openinference.span.kind": ["LLM", "TOOL", short][at % 3], "status_code": "ERROR",
                   "status_message": short, "attributes.input.value": payload, "attributes.output.value": payload,
                   "attributes.llm.model_name": short, "attributes.session.id": short, "attributes.user.id": short,
                   "attributes.tool.name": short, "attributes.custom": short, "attributes.llm.cost.total": 0.1}
            out.write(json.dumps(row) + "\n")


passed = failed = 0


def case(name, judge):
    """Counts a case and says how it ended."""
    global passed, failed
    try:
        judge()
        passed += 1
        print(f"ok {name}", flush=True)
    except Wrong as why:
        failed += 1
        print(f"FAIL {name}: {why}", flush=True)


def main():
    path = chromium()
    if path is None:
        print("SKIPPED: there is no Chromium, and it cannot be installed")
        return 0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        work = Path(directory)
        store = work / "store"
        spanql("-q", "demo", "--spans", "2000", "--keep", work / "demo")
        spanql("-q", "demo", "--spans", "2000", "--keep", store)
        hostile_spans(work / "hostile.jsonl")
        spanql("-q", "--store", store, "import", work / "hostile.jsonl", "--project", "<b>hostile</b>")
        (work / "hostile.md").write_text(HOSTILE)
        browser = Browser(path, work / "profile")

        def page(name, place, report, *options, codes=(0,)):
            def judge():
                out = work / f"{name}.html"
                spanql("-q", "--store", place, "report", report, "-o", out, *options, codes=codes)
                look(browser, out, name)
            return judge

        for what, body in FAULTY.items():
            def judge(what=what, body=body):
                faulty = work / "faulty.html"
                faulty.write_text(f"<!doctype html><meta charset=utf-8><title>x</title><h1>x</h1>{body}")
                try:
                    look(browser, faulty, "faulty")
                except Wrong:
                    return
                raise Wrong("was not noticed")
            case(f"the judge sees {what}", judge)
        case("overview of the demo", page("overview", work / "demo", "overview"))
        case("quality of the demo", page("quality", work / "demo", "quality"))
        case("overview of an empty store", page("empty", work / "nothing", "overview"))
        case("overview of each project", page("projects", store, "overview", "--projects", "all"))
        case("overview of hostile spans", page("hostile-overview", store, "overview"))
        case("quality of hostile spans", page("hostile-quality", store, "quality"))
        case("a report of hostile spans", page("hostile", store, work / "hostile.md", codes=(1,)))
        browser.close()
        for data in sorted(args.data.glob("*.spans.jsonl.gz")) if args.data else []:
            name = data.name.removesuffix(".spans.jsonl.gz")

            def judge(data=data, name=name):
                place = work / name
                spanql("-q", "--store", place, "import", data, "--project", name)
                for report in ("overview", "quality"):
                    for ending in ("html", "md"):
                        spanql("-q", "--store", place, "report", report, "-o", work / f"{name}-{report}.{ending}")
            case(f"reports of {name}", judge)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
