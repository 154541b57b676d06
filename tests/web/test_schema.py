"""Requests made up from the page's own description: every answer is one that it describes, and none is a fault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.web.serving import reader, serving

pytest.importorskip("schemathesis", reason="needs the group api")

import schemathesis

from edge_fer.sinks.web.settings import WebLimits

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMITS = WebLimits(photos_per_minute=100_000)
ENDLESS = {"/api/events", "/stream.mjpg"}
"""Answers that go on until the client leaves."""


@pytest.fixture(scope="module")
def operations() -> Iterator[tuple[str, list[Any]]]:
    """Where the page is, and what its description holds."""
    with serving(limits=LIMITS, open_reader=lambda: reader(LIMITS)) as served:
        served.show()
        schema = schemathesis.openapi.from_url(f"{served.base}/openapi.json")
        found = [one.ok() for one in schema.get_all_operations()]
        yield served.base, [one for one in found if one.path not in ENDLESS]


@pytest.mark.parametrize("mode", ["POSITIVE", "NEGATIVE"])
def test_every_answer_is_one_that_the_description_names(operations: tuple[str, list[Any]], mode: str) -> None:
    from schemathesis import GenerationMode
    from schemathesis.checks import CHECKS, load_all_checks

    load_all_checks()
    # Not that none is a server error: 503 is described, such as for a page without frames. 500 is not.
    names = ("status_code_conformance", "content_type_conformance", "response_schema_conformance")
    checks = CHECKS.get_by_names(names)
    base, found = operations
    seen: set[str] = set()
    strategies = [operation.as_strategy(generation_mode=GenerationMode[mode]) for operation in found]

    @settings(max_examples=120)
    @given(case=st.one_of(strategies))
    def ask(case: Any) -> None:
        case.call_and_validate(base_url=base, checks=checks)
        seen.add(case.operation.path)

    ask()
    assert seen <= {operation.path for operation in found}
    assert "/api/predict" in seen
