"""Try one reader with coverage-guided fuzzing (atheris, https://github.com/google/atheris).

    python -m tests.fuzz.guided NAME SECONDS FOLDER

begins with the sound files of `tests.fuzz.readers`; what breaks the reader is written into the folder as broke-*.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["edge_fer"]):
    from tests.fuzz.readers import READERS, corpus


def main() -> None:
    """Fuzz until the time is over, or the reader breaks."""
    name, seconds, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(corpus(name)):
        (folder / f"sound{number}").write_bytes(data)
    limits = [f"-max_total_time={seconds}", "-max_len=4096", "-timeout=20", "-rss_limit_mb=2048", "-seed=1"]
    atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={folder}/broke-", str(folder)], READERS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
