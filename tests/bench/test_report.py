"""The report of a benchmark: whole files, pictures that show something, and a page that a real browser opens."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import cv2
import pytest

pytest.importorskip("matplotlib", reason="reports need matplotlib")

from edge_fer_bench.report import bench_page, draw, write_report
from edge_fer_bench.result_file import read_result, write_result

from edge_fer.errors import EdgeFerError
from tests.bench.results import ACCURACY, result, row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge_fer_bench.result import BenchResult

PICTURES = ("latency", "trade", "stages", "confusion")


def several(**more: Any) -> BenchResult:
    """A result of nine formats, more than there are colours, one of which failed."""
    rows = [row(f"a{n}.tflite", 0.1 + 0.1 * n, 3.0 + n, accuracy=ACCURACY, size_bytes=100_000 * n) for n in range(1, 9)]
    return result(*rows, row("<b>.onnx", latency=(), film=None, problem="no <engine> & more"), **more)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report")
    assert write_report(path, several(invalid=("busy: x",), data_set="faces (test)"))
    return path


def test_a_report_leaves_whole_files(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {
        "result.json",
        "report.html",
        *(f"{name}.png" for name in PICTURES),
    }
    assert len(read_result(folder / "result.json").rows) == 9


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_shows_something(folder: Path, name: str) -> None:
    picture = cv2.imread(str(folder / f"{name}.png"), cv2.IMREAD_GRAYSCALE)
    assert min(picture.shape) > 300
    assert picture.std() > 8


def test_the_page_says_what_the_table_says(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    for text in (
        "Cortex-A76",
        "INVALID: busy: x",
        "a1.tflite",
        "no &lt;engine&gt; &amp; more",
        "50.00%",
        "faces (test)",
    ):
        assert text in page
    assert "<b>.onnx" not in page  # a name is text, never markup
    assert not re.search(r"""(src|href)="(?!data:)""", page)


def test_what_was_not_measured_is_left_out() -> None:
    nothing = result(row(latency=(), film=None, problem="no engine"))
    assert draw(nothing) == {}
    assert "not measured: no engine" in bench_page(nothing, {})
    assert list(draw(result(row()))) == ["latency", "trade", "stages"]
    assert list(draw(result(row(film=None)))) == ["latency", "trade"]


def test_rows_of_several_threads_are_told_apart() -> None:
    swept = result(row(), row(threads=4))
    figure = draw(swept)["latency"]
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert [label.partition("  ")[0] for label in labels] == ["a.tflite, 1 threads", "a.tflite, 4 threads"]


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(EdgeFerError, match="choose another folder"):
        write_report(tmp_path / "gone", result())


def test_without_matplotlib_there_is_still_the_result(tmp_path: Path) -> None:
    write_result(tmp_path / "result.json", result())
    code = (
        "import sys, pathlib, importlib.util as u; real = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'matplotlib' else real(name, *rest)\n"
        "from edge_fer_bench.report import write_report; from edge_fer_bench.result_file import read_result\n"
        "folder = pathlib.Path(sys.argv[1]); drawn = write_report(folder, read_result(folder / 'result.json'))\n"
        "assert not drawn and 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="a real browser is driven by selenium")
    paths = shutil.which("chromium"), shutil.which("chromedriver")
    if None in paths:
        pytest.skip("needs chromium and chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = paths[0]
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(paths[1]))
    yield driver
    driver.quit()


def test_a_real_browser_shows_each_plot_and_complains_of_nothing(folder: Path, browser: Any) -> None:
    browser.get(f"file://{folder / 'report.html'}")
    shown = browser.execute_script(
        "return Object.fromEntries([...document.images].map(one => [one.id, [one.complete, one.naturalWidth]]))"
    )
    assert set(shown) == set(PICTURES)
    assert all(complete and width > 300 for complete, width in shown.values())
    assert browser.get_log("browser") == []
    assert len(browser.find_elements("css selector", "tbody tr")) > 20
    # Nothing is fetched from anywhere: the page is a file that can be sent.
    fetched = json.loads(browser.execute_script("return JSON.stringify(performance.getEntriesByType('resource'))"))
    assert [one["name"] for one in fetched if not one["name"].startswith("data:")] == []
    browser.set_window_size(400, 800)
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
