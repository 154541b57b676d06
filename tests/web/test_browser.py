"""The page in a real browser: live picture, numbers, photo, sign-in, both widths and both colour schemes."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

pytest.importorskip("uvicorn", reason="needs the extra web")

from edge_fer.sinks.web.settings import WebLimits
from tests.fakes import picture
from tests.waiting import until
from tests.web.serving import SECRET, as_file, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.web.serving import Served

DESKTOP, PHONE = (1280, 900), (390, 844)
CONTRAST = """
const parse = (c) => c.match(/[\\d.]+/g).map(Number);
const linear = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
const light = ([r, g, b]) => [r, g, b].map((v) => linear(v / 255))
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const ground = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
  if (c.length === 3 || c[3] === 1) return c; } return [255, 255, 255]; };
const worst = [];
for (const e of document.querySelectorAll("h1,h2,p,th,td,dt,dd,button,.button,label,a,small,select")) {
  const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  if (!own || !e.checkVisibility() || e.closest(".unseen,.skip")) continue;
  const [a, b] = [light(parse(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  if (ratio < 4.5) worst.push(`${e.tagName} ${e.textContent.trim().slice(0, 30)} ${ratio.toFixed(2)}`);
}
return worst;
"""
SMALL_TARGETS = """
return [...document.querySelectorAll("button,.button,select")].filter((e) => e.checkVisibility())
  .map((e) => e.getBoundingClientRect()).filter((r) => r.height < 24 || r.width < 24).length;
"""


@contextmanager
def running(served: Served) -> Iterator[None]:
    """Frames come, as from a camera."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.05):
            served.show()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def look(browser: Any, size: tuple[int, int], scheme: str = "light") -> None:
    """Give the browser a size and a colour scheme; its log is emptied."""
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get_log("browser")


def text(browser: Any, name: str) -> str:
    return str(browser.execute_script("return document.getElementById(arguments[0]).textContent", name))


def is_live(browser: Any) -> bool:
    script = "return document.getElementById('stream').naturalWidth > 0 && document.getElementById('state').textContent"
    return browser.execute_script(script) == "Live"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_page_shows_the_run(chromium: Any, served: Served, size: tuple[int, int], scheme: str) -> None:
    look(chromium, size, scheme)
    with running(served):
        chromium.get(served.base)
        until(lambda: is_live(chromium), "the live picture")
        until(
            lambda: "happy" in chromium.execute_script("return document.querySelector('tr.best').textContent"), "bars"
        )
        until(lambda: text(chromium, "facts").find("fake") > 0, "the facts")
        assert chromium.execute_script(CONTRAST) == []
        assert chromium.execute_script(SMALL_TARGETS) == 0
        width = chromium.execute_script("return document.documentElement.scrollWidth")
        assert width <= size[0], "the page must not scroll sideways"
    assert [entry for entry in chromium.get_log("browser") if entry["level"] != "INFO"] == []


def test_a_chosen_photo_comes_back_annotated(chromium: Any, served: Served, tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(as_file(picture(400, 300)))
    look(chromium, DESKTOP)
    with running(served):
        chromium.get(served.base)
        until(lambda: is_live(chromium), "the live picture")
        chromium.find_element("id", "photo").send_keys(str(photo))
        until(lambda: text(chromium, "photo-status") == "1 face: happy.", "the answer")
        script = (
            "const p = document.getElementById('photo-picture'); return p.complete && [p.naturalWidth, p.naturalHeight]"
        )
        until(lambda: chromium.execute_script(script) == [427, 320], "the annotated photo, enlarged to be readable")
        assert chromium.execute_script("return document.querySelectorAll('#photo-faces td').length") == 3
    assert [entry for entry in chromium.get_log("browser") if entry["level"] != "INFO"] == []


def test_what_is_no_photo_is_refused_in_words(chromium: Any, served: Served, tmp_path: Path) -> None:
    note = tmp_path / "note.jpg"
    note.write_text("this is no picture")
    look(chromium, PHONE)
    served.show()
    chromium.get(served.base)
    chromium.find_element("id", "photo").send_keys(str(note))
    until(lambda: "is not a picture" in text(chromium, "photo-status"), "the refusal")


def test_a_pause_freezes_the_picture_and_frees_the_camera_of_it(chromium: Any, served: Served) -> None:
    look(chromium, DESKTOP)
    with running(served):
        chromium.get(served.base)
        until(lambda: is_live(chromium), "the live picture")
        chromium.find_element("id", "pause").click()
        assert chromium.execute_script("return document.getElementById('frozen').width") == 427
        until(lambda: served.page.viewers == 0, "the end of the stream")
        chromium.find_element("id", "pause").click()
        until(lambda: served.page.viewers == 1, "the stream again")
        until(lambda: is_live(chromium), "the live picture again")


def test_when_the_picture_is_full_it_says_so_and_comes_later(chromium: Any) -> None:
    look(chromium, DESKTOP)
    with serving(WebLimits(streams=1)) as served, running(served):
        with httpx.stream("GET", f"{served.base}/stream.mjpg"):
            until(lambda: served.page.viewers == 1, "the one place")
            chromium.get(served.base)
            until(lambda: "The picture did not come" in text(chromium, "no-picture"), "the word")
        until(lambda: is_live(chromium), "the picture after the place is free")


def test_the_end_of_the_run_is_told(chromium: Any) -> None:
    look(chromium, PHONE)
    with serving() as served, running(served):
        chromium.get(served.base)
        until(lambda: is_live(chromium), "the live picture")
    until(lambda: text(chromium, "state") == "Not connected", "the end")
    assert "Trying again" in text(chromium, "no-picture")


def test_the_keyboard_reaches_everything_in_the_order_of_the_page(chromium: Any, served: Served) -> None:
    from selenium.webdriver import ActionChains, Keys

    look(chromium, DESKTOP)
    with running(served):
        chromium.get(served.base)
        until(lambda: is_live(chromium), "the live picture")
        seen = []
        for _ in range(5):
            ActionChains(chromium).send_keys(Keys.TAB).perform()
            script = "const e = document.activeElement; return e.id || e.className || e.href"
            seen.append(chromium.execute_script(script))
    assert seen == ["skip", "pause", "face", "photo", f"{served.base}/openapi.json"]


def test_a_screen_reader_is_told_seldom(chromium: Any, served: Served) -> None:
    look(chromium, DESKTOP)
    with running(served):
        chromium.get(served.base)
        until(lambda: text(chromium, "news") == "1 face. happy", "the news")
        script = "return [...document.querySelectorAll('[aria-live],[role=status]')].map((e) => e.id)"
        regions = chromium.execute_script(script)
        assert regions == ["news", "photo-status"], "numbers that move all the time must not be live regions"
        chromium.execute_script("""
          window.changes = 0;
          window.watchedFrom = Date.now();
          const all = { childList: true, characterData: true, subtree: true };
          new MutationObserver(() => window.changes++).observe(document.getElementById("news"), all);
        """)
        best = "return document.querySelector('tr.best').textContent"
        for emotion in ("sad", "fear", "angry", "surprise"):
            served.emotion = emotion
            until(lambda emotion=emotion: emotion in chromium.execute_script(best), "the bars")
        changes, watched_ms = chromium.execute_script("return [window.changes, Date.now() - window.watchedFrom]")
    assert changes <= 1 + watched_ms // 6000


def test_signing_in_and_out(chromium: Any) -> None:
    look(chromium, PHONE)
    with serving(secret=SECRET) as guarded, running(guarded):
        chromium.get(guarded.base)
        assert chromium.current_url == f"{guarded.base}/login"
        chromium.find_element("id", "token").send_keys("wrong\n")
        until(lambda: "This is not the token" in chromium.page_source, "the refusal")
        chromium.find_element("id", "token").send_keys(SECRET + "\n")
        until(lambda: chromium.current_url == f"{guarded.base}/", "the page")
        until(lambda: is_live(chromium), "the live picture")
        (cookie,) = chromium.get_cookies()
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
        assert SECRET not in cookie["value"]
        chromium.find_element("css selector", "#sign-out button").click()
        until(lambda: chromium.current_url == f"{guarded.base}/login", "the way out")
        assert chromium.get_cookies() == []


def test_another_page_can_neither_show_nor_read_this_one(chromium: Any, served: Served) -> None:
    with serving() as other:
        served.show()
        chromium.get(other.base)
        base = served.base.replace("127.0.0.1", "localhost")
        script = (
            "fetch(arguments[0], {mode: 'no-cors'}).then((r) => 'got ' + r.type, () => 'blocked').then(arguments[1])"
        )
        chromium.get_log("browser")
        # The page's own policy already forbids it; a page without one is played by httpx.
        assert chromium.execute_async_script(script, f"{base}/api/state") == "blocked"
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert httpx.get(f"{served.base}/stream.mjpg", headers=headers).status_code == 403
