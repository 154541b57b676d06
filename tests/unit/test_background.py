"""A thread that hangs does not hold up the end of the process, and nothing that was said is lost."""

from __future__ import annotations

import pytest

from tests.programs import run_python

HANGING = "BackgroundThread(lambda: time.sleep(1000), 'stuck').start()"
BUSY_IN_OPENCV = """
def work():
    while True:
        cv2.GaussianBlur(picture, (31, 31), 0)
picture = numpy.zeros((200, 200, 3), numpy.uint8)
for number in range(4):
    BackgroundThread(work, f"busy {number}").start()
time.sleep(0.2)
"""


@pytest.mark.parametrize("threads", ["", HANGING, BUSY_IN_OPENCV], ids=["none", "hanging", "in C++"])
def test_the_process_ends_with_its_code_and_all_its_words(threads):
    program = (
        "import sys, time, cv2, numpy\n"
        "from edge_fer.background import BackgroundThread, leave\n"
        f"{threads}\n"
        "sys.stdout.write('said')\n"
        "leave(7)\n"
    )
    result = run_python(program)
    assert (result.returncode, result.stdout, result.stderr) == (7, "said", "")


def test_a_closed_output_is_no_fault():
    program = (
        "import sys, time\n"
        "from edge_fer.background import BackgroundThread, leave\n"
        f"{HANGING}\n"
        "sys.stdout.close()\n"
        "sys.stderr = None\n"
        "leave(3)\n"
    )
    assert run_python(program).returncode == 3
