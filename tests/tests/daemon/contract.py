"""What the fuzzer cannot know of the interface's document.

It is told how sound and film go onto the wire, and what a line of a stream must be. Where a file of
sound is given, what the document leaves open is filled in too: names of models and files that there
are, so that it comes past the first refusal. Every other request stays as it is."""

import json
import os

import jsonschema_rs
import schemathesis

# Without this it gives up at a number or an object where the document says a file of film.
schemathesis.serializer.alias(["audio/wav", "video/webm"], "application/octet-stream")

COUNTS = {"model": 0, "file": 0}


def in_turn(name, times):
    """Whether it is this request's turn."""
    COUNTS[name] += 1
    return COUNTS[name] % times != 0


def filled_in_with(sound):
    """Fills in the names of models and files of sound."""

    def before_call(context, case, **kwargs):
        if case.operation.path == "/v1/audio/transcriptions" and isinstance(case.body, dict):
            if in_turn("model", 4):
                case.body["model"] = "whisper-1"
            if in_turn("file", 2):
                case.body["file"] = sound

    return before_call


if "CONTRACT_SOUND" in os.environ:
    with open(os.environ["CONTRACT_SOUND"], "rb") as file:
        schemathesis.hook(filled_in_with(file.read()))


@schemathesis.check
def every_line_is_what_the_document_says(context, response, case):
    """A line of a stream is an object of its own, which other checks pass over."""
    if not response.headers.get("content-type", [""])[0].startswith("application/x-ndjson"):
        return
    components = case.operation.schema.raw_schema["components"]
    line = {"$ref": "#/components/schemas/StreamLine", "components": components}
    validator = jsonschema_rs.validator_for(line)
    objects = [json.loads(line) for line in response.content.decode().splitlines()]
    for one in objects:
        validator.validate(one)
    kinds = [one["type"] for one in objects]
    assert kinds[-1] in ("done", "error"), kinds
    assert not {"done", "error"} & set(kinds[:-1]), kinds
