"""The API in words that programs read: OpenAPI 3.1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_fer._version import __version__
from edge_fer.sinks.web.sessions import COOKIE_PREFIX

if TYPE_CHECKING:
    from edge_fer.sinks.web.settings import WebLimits

JSON = "application/json"
PROBLEM = "application/problem+json"
WAITING = ("429", "503")


def description(limits: WebLimits, cookie_name: str | None = None) -> dict[str, Any]:
    """The whole description.

    Every object in it has a name of its own: generators of clients make a class of each, and refuse two of one name.

    Args:
        limits: those in force.
        cookie_name: of the browser's session; None where no token is asked for.
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "edge-fer",
            "version": __version__,
            "description": "Facial expressions in a live picture and in photos. Nothing that is sent or seen is kept: "
            "photos live in memory while they are looked at, the last five minutes of numbers until the run ends.",
        },
        "security": [{}, {"token": []}, {"session": []}],
        "paths": {
            "/api/predict": {"post": _predict(limits)},
            "/api/state": {
                "get": _get(
                    "state", "The newest observation, the health of the run and the last minutes", JSON, "State"
                )
            },
            "/api/events": {
                "get": _get(
                    "events",
                    "The state as server-sent events named `state`, without the timeline",
                    "text/event-stream",
                    None,
                    places=True,
                )
            },
            "/stream.mjpg": {
                "get": _get(
                    "stream",
                    "The annotated live picture, newest frame only, as multipart/x-mixed-replace",
                    None,
                    None,
                    places=True,
                )
            },
            "/healthz": {"get": _healthz()},
            "/openapi.json": {"get": _get("openapi", "This description", JSON, None)},
        },
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": cookie_name or COOKIE_PREFIX},
            },
            "responses": {
                "Refused": _answer("Refused; `detail` says why and what to do", PROBLEM, "Problem"),
                "Later": _answer("Refused for now; `detail` says why", PROBLEM, "Problem") | {"headers": _later()},
            },
            "schemas": _schemas(),
        },
    }


def _later() -> dict[str, Any]:
    return {
        "Retry-After": {
            "description": "Seconds after which to try again; where it is missing, that is unknown",
            "schema": {"type": "integer", "minimum": 1},
        }
    }


def _get(
    name: str, summary: str, media_type: str | None, schema: str | None, *, places: bool = False
) -> dict[str, Any]:
    refused = ("400", "401", "403", "429", "431", *(("503",) if places else ()))
    return {
        "operationId": name,
        "summary": summary,
        "responses": {"200": _answer(summary, media_type, schema)} | _refusals(*refused),
    }


def _predict(limits: WebLimits) -> dict[str, Any]:
    binary = {"schema": {"type": "string", "format": "binary"}}
    form = {"schema": {"type": "object", "properties": {"photo": {"type": "string", "format": "binary"}}}}
    done = _answer("The faces, largest first; none is no error", JSON, "Prediction")
    done["content"]["image/jpeg"] = binary
    return {
        "operationId": "predict",
        "summary": "Find and read the faces in a photo",
        "description": f"At most {limits.upload_bytes} bytes, {limits.photo_px} pixels and "
        f"{limits.photos_per_minute} photos a minute. The body is a form, or the photo itself with any type of image/ "
        "or application/octet-stream. `Accept: image/jpeg` returns the annotated picture itself.",
        "parameters": [
            {
                "name": "annotated",
                "in": "query",
                "description": "1 puts the annotated picture into the answer",
                "schema": {"type": "string", "enum": ["0", "1"], "default": "0"},
            }
        ],
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": binary, "multipart/form-data": form},
        },
        "responses": {"200": done} | _refusals("400", "401", "403", "408", "413", "415", "422", "429", "431", "503"),
    }


def _healthz() -> dict[str, Any]:
    return {
        "operationId": "healthz",
        "summary": "Whether frames come; needs no token",
        "security": [{}],
        "responses": {
            "200": _answer("Frames come", JSON, "Status"),
            "503": _answer("No frames come", JSON, "Status"),
            **_refusals("400", "403", "431"),
        },
    }


def _answer(text: str, media_type: str | None, schema: str | None) -> dict[str, Any]:
    if media_type is None:
        return {"description": text}
    content = {"schema": {"$ref": f"#/components/schemas/{schema}"}} if schema else {}
    return {"description": text, "content": {media_type: content}}


def _refusals(*statuses: str) -> dict[str, Any]:
    return {
        status: {"$ref": f"#/components/responses/{'Later' if status in WAITING else 'Refused'}"} for status in statuses
    }


def _named(schema: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{schema}"}


def _object(*required: str, **properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": properties}


def _schemas() -> dict[str, Any]:
    number, integer, text = {"type": "number"}, {"type": "integer"}, {"type": "string"}
    share = {"type": "number", "minimum": 0, "maximum": 1}
    integers = {"type": "array", "items": integer}
    top = {
        "type": "array",
        "description": "The three best emotions with their probabilities; photos only",
        "items": {"type": "array", "prefixItems": [text, share]},
    }
    landmarks = {
        "type": "array",
        "description": "x and y in pixels of right eye, left eye, nose and both corners of the mouth; yunet only",
        "items": {"type": "array", "items": number},
    }
    face = _object(
        "id", "box", "emotion", "score", "scores",
        id={"type": ["integer", "null"]},
        box={**integers, "description": "x, y, width, height in pixels"},
        landmarks=landmarks,
        emotion=text, score=share, scores=_named("Scores"), raw=_named("Scores"), top=top,
    )  # fmt: skip
    seen: dict[str, dict[str, Any]] = {
        "schema": text,
        "seq": integer,
        "time": {**text, "format": "date-time"},
        "source": text,
        "size": integers,
        "faces": {"type": "array", "items": _named("Face")},
        "ms": _named("Milliseconds"),
    }
    state = _object(
        "second", "observation", "age_seconds", "health", "sign_in",
        second=integer,
        observation={"oneOf": [_named("Observation"), {"type": "null"}]},
        age_seconds={"type": ["number", "null"]},
        health=_named("Health"),
        sign_in={"type": "boolean", "description": "Whether a token is asked for"},
        timeline={
            "type": "array", "items": _named("Point"), "description": "One entry a second, at most five minutes"
        },
        latest={
            "oneOf": [_named("Point"), {"type": "null"}], "description": "The last entry of the timeline; in events"
        },
    )  # fmt: skip
    return {
        "Scores": {
            "type": "object",
            "description": "The probability of each emotion of the model",
            "additionalProperties": share,
        },
        "Milliseconds": _object("detect", "classify", "total", detect=number, classify=number, total=number),
        "Face": face,
        "Observation": _object(*seen, **seen),
        "Prediction": _object(*seen, **seen, annotated=_named("Picture")),
        "Picture": _object("type", "base64", type=text, base64=text),
        "Point": _object(
            "second", "faces", "scores",
            second=integer, faces=integer, scores={"oneOf": [_named("Scores"), {"type": "null"}]},
        ),
        "Health": {
            "type": "object",
            "description": "How the run fares: camera, rates, stages, sinks, drops, board",
            "additionalProperties": True,
        },
        "State": state,
        "Status": _object("status", status={"type": "string", "enum": ["ok", "no frames"]}),
        "Problem": _object("title", "status", "detail", title=text, status=integer, detail=text),
    }  # fmt: skip
