"""Files that programs of others read: the citation, the workflow, the forms for issues."""

from __future__ import annotations

import yaml

import edge_fer
from tests.conftest import REPOSITORY


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    assert citation["version"] == edge_fer.__version__
    assert {"cff-version", "message", "title", "authors"} <= set(citation)


def test_the_workflow_runs_what_this_project_calls_its_tests() -> None:
    workflow = yaml.safe_load((REPOSITORY / ".github" / "workflows" / "test.yaml").read_text())
    [job] = workflow["jobs"].values()
    assert {"run": "bash .ci/run"} in job["steps"]
    assert workflow["permissions"] == {"contents": "read"}


def test_every_form_asks_for_what_it_must_know() -> None:
    forms = sorted((REPOSITORY / ".github" / "ISSUE_TEMPLATE").glob("*.yaml"))
    assert len(forms) >= 2
    for path in forms:
        form = yaml.safe_load(path.read_text())
        assert {"name", "description", "body"} <= set(form)
        assert any(field.get("validations", {}).get("required") for field in form["body"]), path
