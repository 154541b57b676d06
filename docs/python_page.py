"""Write docs/python-reference.md from the docstrings of the public names, so that the page cannot say anything else."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path

import edge_fer
from edge_fer import errors

PAGE = Path(__file__).with_name("python-reference.md")
LINE_CHARACTERS = 100
INTRODUCTION = """\
# Python reference

This page is made by `script/docs` from the docstrings of what `import edge_fer` offers. [Python API](python-api.md)
introduces it.
"""


def python_page() -> str:
    """The whole page as Markdown."""
    names = [name for name in edge_fer.__all__ if not name.startswith("_")]
    parts = [INTRODUCTION, *(_class(name, getattr(edge_fer, name)) for name in names), _errors()]
    return "\n".join(parts)


def _class(name: str, kind: type) -> str:
    lines = [f"## {name}\n", _text(kind)]
    if dataclasses.is_dataclass(kind):
        lines.append("| field | type |\n|---|---|")
        lines += [f"| `{field.name}` | `{_cell(str(field.type))}` |" for field in dataclasses.fields(kind)]
        lines.append("")
    else:
        lines += [f"### {name}(…)\n", f"```text\n{_signature(kind.__init__, name)}\n```\n", _text(kind.__init__)]
    for method, member in vars(kind).items():
        if method.startswith("_") or not (inspect.isfunction(member) or isinstance(member, (property, classmethod))):
            continue
        if isinstance(member, property):
            lines += [f"### {name}.{method}\n", _text(member)]
        else:
            function = inspect.unwrap(getattr(kind, method))
            lines += [f"### {name}.{method}(…)\n", f"```text\n{_signature(function, method)}\n```\n", _text(function)]
    return "\n".join(lines)


def _errors() -> str:
    return f"## Errors\n\n```text\n{inspect.getdoc(errors)}\n```\n"


def _signature(function: object, name: str) -> str:
    signature = inspect.signature(function)  # type: ignore[arg-type]
    shown, named_only = [], False
    for parameter in signature.parameters.values():
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and not named_only:
            shown.append("*")
            named_only = True
        default = "" if parameter.default is inspect.Parameter.empty else f" = {parameter.default!r}"
        shown.append(f"{parameter.name}: {parameter.annotation}{default}")
    result = signature.return_annotation
    text = f"{name}({', '.join(shown)})"
    if len(text) > LINE_CHARACTERS:
        text = f"{name}(\n    " + ",\n    ".join(shown) + ",\n)"
    return text if result in (inspect.Signature.empty, "None") else f"{text} -> {result}"


def _text(thing: object) -> str:
    return f"{inspect.getdoc(thing)}\n" if _is_prose(thing) else f"```text\n{inspect.getdoc(thing)}\n```\n"


def _is_prose(thing: object) -> bool:
    """Whether a docstring has nothing that depends on its line breaks: sections or examples."""
    text = inspect.getdoc(thing) or ""
    return not any(line.startswith((" ", ">>>")) for line in text.splitlines())


def _cell(text: str) -> str:
    return text.replace("|", "&#124;").replace("`", "")


if __name__ == "__main__":
    PAGE.write_text(python_page(), encoding="utf-8")
