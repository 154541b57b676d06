"""A client that openapi-python-client makes of the page's own description, and what it gets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

pytest.importorskip("openapi_python_client", reason="needs the group api")

from tests.programs import run_python
from tests.web.serving import SECRET, as_file, serving

if TYPE_CHECKING:
    from edge_fer.types import Image

USE = """
import io, sys
sys.path.insert(0, sys.argv[1])
from client import AuthenticatedClient, Client
from client.api.default import healthz, openapi, predict, state
from client.models import Observation, PredictFilesBody, Prediction, Problem, State, Status
from client.types import File

base, token, photo = sys.argv[2:5]
stranger = state.sync(client=Client(base_url=base))
assert isinstance(stranger, Problem) and stranger.status == 401, stranger
client = AuthenticatedClient(base_url=base, token=token)
assert isinstance(healthz.sync(client=client), Status)
now = state.sync(client=client)
assert isinstance(now, State) and isinstance(now.observation, Observation), now
assert now.observation.faces[0].emotion == "sad"
assert now.observation.ms.total > 0
content = open(photo, "rb").read()
raw = predict.sync(client=client, body=File(payload=io.BytesIO(content)))
form = predict.sync(client=client, body=PredictFilesBody(photo=File(io.BytesIO(content), "a.jpg", "image/jpeg")))
for answer in (raw, form):
    assert isinstance(answer, Prediction), answer
    assert answer.faces[0].scores["happy"] > 0
broken = predict.sync(client=client, body=File(payload=io.BytesIO(b"no photo")))
assert isinstance(broken, Problem) and broken.status == 415, broken
assert openapi.sync_detailed(client=client).status_code == 200
print("all as described")
"""


def test_a_generated_client_is_whole_and_works(tmp_path: Path, astronaut: Image) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(as_file(astronaut))
    with serving(secret=SECRET) as served:
        served.show(emotion="sad")
        answer = httpx.get(f"{served.base}/openapi.json", headers={"Authorization": f"Bearer {SECRET}"})
        (tmp_path / "openapi.json").write_text(json.dumps(answer.json()))
        options = ["--path", "openapi.json", "--output-path", "made/client", "--meta", "none", "--fail-on-warning"]
        (tmp_path / "made").mkdir()
        # It has ruff lay out what it wrote, and takes a missing one for a warning.
        environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        done = subprocess.run(
            [sys.executable, "-m", "openapi_python_client", "generate", *options],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert "WARNING" not in done.stdout + done.stderr
        used = run_python(USE, tmp_path / "made", served.base, SECRET, photo)
    assert used.stdout == "all as described\n", used.stderr
