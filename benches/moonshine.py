"""Hears what comes on standard input, 16 kHz of signed 16 bits, as Moonshine's own library does
by default, and writes its events as lines in the form of `GET /v1/listen`."""

import array
import json
import os
import sys

import moonshine_voice
from moonshine_voice.moonshine_api import ModelArch
from moonshine_voice.transcriber import Transcriber, TranscriptEventListener

BLOCK = 1280


def tell(kind, member, line):
    event = {"type": kind, "start": line.start_time, member: line.text}
    print(json.dumps(event), flush=True)


class Listener(TranscriptEventListener):
    def on_line_started(self, event):
        tell("partial", "tentative", event.line)

    def on_line_text_changed(self, event):
        tell("partial", "tentative", event.line)

    def on_line_completed(self, event):
        tell("final", "text", event.line)


model = os.path.join(os.path.dirname(moonshine_voice.__file__), "assets", "tiny-en")
transcriber = Transcriber(model, ModelArch.TINY)
transcriber.add_listener(Listener())
transcriber.start()
print(json.dumps({"type": "state", "state": "open"}), flush=True)
while block := sys.stdin.buffer.read(BLOCK):
    pcm = array.array("h", block)
    transcriber.add_audio([sample / 32768 for sample in pcm], 16000)
transcriber.stop()
