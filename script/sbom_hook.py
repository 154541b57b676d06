"""Puts the bill of materials into every wheel, as PEP 770 places it: edge_fer-VERSION.dist-info/sboms."""

from __future__ import annotations

import json
import shutil
import tempfile
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BillOfMaterialsHook(BuildHookInterface[Any]):
    """Runs `script/sbom` beside this file before a wheel is packed."""

    folder: Path | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the bill into a temporary folder and name it to the builder; an editable install has none."""
        if version == "editable":
            return
        loader = SourceFileLoader("sbom", str(Path(self.root) / "script" / "sbom"))
        spec = spec_from_loader("sbom", loader)
        assert spec is not None
        script = module_from_spec(spec)
        loader.exec_module(script)
        self.folder = Path(tempfile.mkdtemp())
        path = self.folder / "edge-fer.cdx.json"
        path.write_text(json.dumps(script.bill(), indent=1) + "\n", encoding="utf-8")
        build_data["sbom_files"].append(str(path))

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the temporary folder."""
        if self.folder is not None:
            shutil.rmtree(self.folder)
