"""What a model file is: the manifest beside it says what it expects and what its outputs mean.

`face-cnn-48x48-static_wi8_ai8.tflite` lies beside `face-cnn-48x48-static_wi8_ai8.tflite.json`. ONNX files carry the
same JSON inside them too (metadata_props, key `edge_fer_manifest`), without the hash of the file itself.
Reading is strict: a key too many, a wrong type or a hash that does not fit is a `ModelError`, never a guess.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, get_args

from edge_fer.atomic_files import write_atomically
from edge_fer.errors import ModelError
from edge_fer.inference.manifest_types import (
    METADATA_KEY,
    SCHEMA,
    AccuracyEntry,
    Assumption,
    Calibration,
    Format,
    Manifest,
    OutputKind,
    Prior,
    Recipe,
)
from edge_fer.inference.model_bytes import read_model_bytes
from edge_fer.inference.onnx_file import scan_onnx
from edge_fer.inference.strict_json import Fields, parse_object
from edge_fer.types import ColourOrder, InputSpec, TensorLayout

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "METADATA_KEY",
    "SCHEMA",
    "AccuracyEntry",
    "Assumption",
    "Calibration",
    "Format",
    "Manifest",
    "OutputKind",
    "Prior",
    "Recipe",
    "file_sha256",
    "manifest_for_format",
    "manifest_json",
    "manifest_path",
    "manifest_record",
    "parse_manifest",
    "read_manifest",
    "read_model_bytes",
    "write_manifest",
]

_ENGINE_OF_FORMAT = {"tflite": "litert", "onnx": "onnx", "keras": "keras"}
"""What the key `engine` of the JSON says of a format. It is from the time when each format had one engine, and stands
there instead of `format` wherever it can, so that older versions read the file."""

MOST_SIDE_PX, MOST_CROP_MARGIN, MOST_LABELS = 1024, 4.0, 1000
LEAST_TEMPERATURE, MOST_TEMPERATURE = 0.001, 1000.0
LEAST_STD, MOST_SCALING = 1e-6, 1e6
"""Bounds far beyond any sensible model: a manifest must not make a crop take the whole memory, or scores NaN."""


def manifest_path(model: Path) -> Path:
    """Where the manifest of a model file lies: the file's whole name and `.json`."""
    return model.with_name(model.name + ".json")


def file_sha256(data: bytes) -> str:
    """SHA-256 of a file's bytes in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def read_manifest(model: Path, model_bytes: bytes | None = None) -> Manifest:
    """Read and check the manifest of a model file: the one beside it, else the one inside an ONNX file.

    Args:
        model: the model file.
        model_bytes: its content where the caller has it already, so that what was checked is what is run.

    Raises:
        ModelError: there is none, it is malformed, or it belongs to another file.
    """
    data = read_model_bytes(model) if model_bytes is None else model_bytes
    path = manifest_path(model)
    if path.is_file():
        text, where = _read_small_text(path), str(path)
    else:
        inside = scan_onnx(data, model).metadata.get(METADATA_KEY) if model.suffix == ".onnx" else None
        if inside is None:
            raise ModelError(
                f"{model} has no manifest ({path.name}): run `edge-fer convert {model}` to package it again"
            )
        text, where = inside, f"{model} ({METADATA_KEY} inside it)"
    manifest = parse_manifest(text, where)
    if manifest.sha256 is None and path.is_file():
        raise ModelError(f"{where}: key 'sha256' is missing: package the model again with `edge-fer convert`")
    if manifest.sha256 not in (None, file_sha256(data)):
        raise ModelError(f"{where}: 'sha256' is of another file: {model.name} was changed or is damaged, get it again")
    return manifest


def manifest_for_format(model: Path, format_name: Format, model_bytes: bytes) -> Manifest:
    """`read_manifest`, and a `ModelError` where it says that the file is of another format."""
    manifest = read_manifest(model, model_bytes)
    if manifest.format != format_name:
        said = f"'engine' is {_ENGINE_OF_FORMAT[manifest.format]!r}" if manifest.format in _ENGINE_OF_FORMAT else ""
        said = said or f"'format' is {manifest.format!r}"
        raise ModelError(f"{manifest_path(model)}: {said}, which is not what {model.name} is by the ending of its name")
    return manifest


def parse_manifest(text: str, where: str) -> Manifest:
    """Check manifest JSON; `where` names it in errors.

    Raises:
        ModelError: naming the key at fault and what it must be.
    """
    fields = parse_object(text, where)
    schema = fields.text("schema")
    if schema != SCHEMA:
        raise ModelError(f"{where}: 'schema' is {schema!r}, this version reads {SCHEMA!r}: convert the model again")
    calibration, prior = fields.child("calibration"), fields.child("prior")
    manifest = Manifest(
        name=fields.text("name"),
        format=_format(fields),
        recipe=fields.choice("recipe", get_args(Recipe)),
        labels=fields.texts("labels"),
        input=_input_spec(fields.required_child("input")),
        output_kind=fields.choice("output_kind", get_args(OutputKind)),
        temperature=fields.number("temperature", 1.0, above=0.0, most=MOST_TEMPERATURE),
        preferred=fields.flag("preferred", False),
        sha256=fields.optional_text("sha256"),
        licence=fields.optional_text("licence"),
        parameters=fields.optional_count("parameters"),
        multiply_adds=fields.optional_count("multiply_adds"),
        calibration=None if calibration is None else _calibration(calibration),
        accuracy=tuple(_accuracy(entry) for entry in fields.children("accuracy")),
        prior=None if prior is None else _prior(prior),
        produced_by=fields.text_map("produced_by"),
        assumed=fields.choices("assumed", get_args(Assumption)),
        warnings=fields.optional_texts("warnings"),
    )
    fields.done()
    if manifest.prior is not None and len(manifest.prior.shares) != len(manifest.labels):
        raise ModelError(f"{where}: 'shares' of 'prior' must hold {len(manifest.labels)} numbers, one a label")
    if not 2 <= len(manifest.labels) <= MOST_LABELS or len(set(manifest.labels)) != len(manifest.labels):
        raise ModelError(f"{where}: 'labels' must hold 2 to {MOST_LABELS} names, none of them twice")
    if manifest.temperature < LEAST_TEMPERATURE:
        raise ModelError(f"{where}: 'temperature' must be at least {LEAST_TEMPERATURE:g}")
    return manifest


def _format(fields: Fields) -> Format:
    """What the key `format` says, or what the older key `engine` stands for."""
    of_engine = {engine: name for name, engine in _ENGINE_OF_FORMAT.items()}
    said = fields.optional_text("format")
    if said is None:
        return of_engine[fields.choice("engine", tuple(of_engine))]
    if re.fullmatch(r"[a-z0-9_+-]{1,32}", said) is None:
        raise ModelError(f"{fields.where}: 'format' must be the ending of the file, in lower case and without its dot")
    older = fields.optional_text("engine")
    if older not in (None, said, _ENGINE_OF_FORMAT.get(said)):
        raise ModelError(f"{fields.where}: 'engine' is {older!r}, and 'format' is {said!r}: leave 'engine' away")
    return said


def _input_spec(fields: Fields) -> InputSpec:
    spec = InputSpec(
        width=fields.count("width", 1, MOST_SIDE_PX),
        height=fields.count("height", 1, MOST_SIDE_PX),
        colour=fields.choice("colour", get_args(ColourOrder)),
        mean=fields.numbers("mean", MOST_SCALING),
        std=fields.numbers("std", MOST_SCALING),
        layout=fields.choice("layout", get_args(TensorLayout)),
        crop_margin=fields.number("crop_margin", 0.0, above=-0.5, most=MOST_CROP_MARGIN),
        standardise=fields.flag("standardise", False),
    )
    fields.done()
    for key, values in (("mean", spec.mean), ("std", spec.std)):
        if len(values) not in (1, spec.channels):
            raise ModelError(f"{fields.where}: '{key}' must hold 1 number or {spec.channels}, one a channel")
    if any(value < LEAST_STD for value in spec.std):
        raise ModelError(f"{fields.where}: 'std' must be at least {LEAST_STD:g}: pixels are divided by it")
    return spec


def _calibration(fields: Fields) -> Calibration:
    calibration = Calibration(
        source=fields.text("source"),
        sha256=fields.text("sha256"),
        pictures=fields.count("pictures", least=1),
        seed=fields.count("seed"),
        method=fields.text("method"),
    )
    fields.done()
    return calibration


def _accuracy(fields: Fields) -> AccuracyEntry:
    entry = AccuracyEntry(
        data_set=fields.text("data_set"),
        split=fields.text("split"),
        accuracy=fields.share("accuracy"),
        pictures=fields.count("pictures", least=1),
        macro_f1=fields.optional_share("macro_f1"),
    )
    fields.done()
    return entry


def _prior(fields: Fields) -> Prior:
    prior = Prior(
        shares=fields.numbers("shares", 1.0),
        correction=fields.optional_share("correction") or 0.0,
        votes_mix=fields.optional_share("votes_mix") or 0.0,
    )
    fields.done()
    if any(share < 0 for share in prior.shares):
        raise ModelError(f"{fields.where}: 'shares' must hold numbers of 0 to 1")
    return prior


def manifest_record(manifest: Manifest) -> dict[str, Any]:
    """The manifest as plain data, as reports have it: with all keys."""
    facts = asdict(manifest)
    engine = _ENGINE_OF_FORMAT.get(manifest.format)
    if engine is None:
        return facts
    facts["format"] = engine
    return {("engine" if key == "format" else key): value for key, value in facts.items()}


def manifest_json(manifest: Manifest) -> str:
    """The manifest as JSON with a newline at the end.

    Keys that came later stand in it only where they say something, so that versions before them read the rest.
    """
    facts = manifest_record(manifest)
    for part, keys in ((facts, ("prior", "assumed", "warnings")), (facts["input"], ("standardise",))):
        for key in keys:
            if not part[key]:
                del part[key]
    return json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_manifest(model: Path, manifest: Manifest) -> Path:
    """Write the manifest beside the model file, with that file's hash, whole or not at all; return its path.

    Raises:
        ModelError: the model file cannot be read, or the manifest would not pass its own checks.
    """
    path = manifest_path(model)
    text = manifest_json(replace(manifest, sha256=file_sha256(read_model_bytes(model))))
    parse_manifest(text, str(path))
    write_atomically(path, text.encode())
    return path


def _read_small_text(path: Path, most_bytes: int = 1_000_000) -> str:
    try:
        if path.stat().st_size > most_bytes:
            raise ModelError(f"{path} is no manifest: it is larger than {most_bytes} bytes")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ModelError(f"{path} is no manifest: it is not UTF-8 text") from None
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from None
