"""A token is asked for exactly as google-genai, which follows Google's changes, would ask for it."""

from __future__ import annotations

import json
import threading
import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from google.genai import Client, types

from gemini import profiles, tokens
from gemini.tokens import Lock, TokenRequest

TOOL = {
    "name": "show_map",
    "description": "Shows a place.",
    "behavior": "NON_BLOCKING",
    "parameters": {
        "type": "OBJECT",
        "properties": {
            "my_place": {"type": "STRING"},
            "stops": {"type": "ARRAY", "items": {"type": "STRING"}},
        },
        "required": ["my_place"],
    },
}
JSON_TOOL = {
    "name": "find",
    "parameters_json_schema": {"type": "object", "properties": {"my_key": {"type": ["string", "null"]}}},
}
LEAST: dict[str, Any] = {
    "response_modalities": ["AUDIO"],
    "context_window_compression": {"trigger_tokens": 1},
}
MOST: dict[str, Any] = {
    "response_modalities": ["AUDIO"],
    "speech_config": {"voice_config": {"prebuilt_voice_config": {"voice_name": "Aoede"}}},
    "thinking_config": {"thinking_level": "LOW"},
    "system_instruction": {"parts": [{"text": "Grüß dich!"}]},
    "tools": [{"function_declarations": [TOOL, JSON_TOOL]}, {"google_search": {}}],
    "realtime_input_config": {
        "automatic_activity_detection": {
            "disabled": False,
            "start_of_speech_sensitivity": "START_SENSITIVITY_LOW",
            "silence_duration_ms": 1100,
        }
    },
    "input_audio_transcription": {"language_codes": ["de-DE"]},
    "output_audio_transcription": {},
    "history_config": {"initial_history_in_client_content": True},
    "context_window_compression": {"trigger_tokens": 25000, "sliding_window": {"target_tokens": 8000}},
}


class Google:
    """Keeps the bodies that it was sent."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                answer = b'{"name": "auth_tokens/x"}'
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def asked_by_the_library(self, request: TokenRequest) -> Any:
        """The body for the same token, by google-genai."""
        config = dict(request.setup)
        if request.lock == "full":
            config["session_resumption"] = {"handle": request.handle} if request.handle else {}
        url = f"http://127.0.0.1:{self.server.server_port}"
        options = types.HttpOptions(base_url=url, api_version=tokens.API_VERSION)
        with warnings.catch_warnings(), Client(api_key="key", http_options=options) as client:
            warnings.simplefilter("ignore")
            client.auth_tokens.create(
                config=types.CreateAuthTokenConfig(
                    uses=1,
                    expire_time=tokens.at(request.expires_at),
                    new_session_expire_time=tokens.at(request.now + tokens.NEW_SESSION_S),
                    live_connect_constraints=types.LiveConnectConstraints(model=request.model, config=config),
                    lock_additional_fields=None if request.lock == "full" else [],
                )
            )
        return self.bodies[-1]


@pytest.fixture
def google() -> Iterator[Google]:
    made = Google()
    yield made
    made.server.shutdown()
    made.thread.join()
    made.server.server_close()


def unordered(body: dict[str, Any]) -> dict[str, Any]:
    """Without the order of tools and of names in the mask, which mean nothing."""
    mask = body.get("fieldMask")
    setup = dict(body["bidiGenerateContentSetup"])
    setup["tools"] = sorted(setup.get("tools", []), key=lambda tool: sorted(tool))
    return {**body, "bidiGenerateContentSetup": setup, "fieldMask": sorted(mask.split(",")) if mask else None}


@pytest.mark.parametrize("lock", ["full", "masked"])
@pytest.mark.parametrize("handle", [None, "handle-7"])
@pytest.mark.parametrize("setup", [LEAST, MOST], ids=["least", "most"])
@pytest.mark.parametrize("model", [*profiles.MODELS, "models/gemini-of-tomorrow"])
def test_a_token_is_asked_for_as_googles_library_does(
    google: Google, model: str, setup: dict[str, Any], handle: str | None, lock: Lock
) -> None:
    request = TokenRequest(model, setup, handle, lock, 1_800_000_000, 1_800_001_860)
    ours = json.loads(json.dumps(tokens.body(request)))
    assert unordered(ours) == unordered(google.asked_by_the_library(request))
