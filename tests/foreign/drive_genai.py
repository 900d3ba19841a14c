"""google-genai as it comes: a microphone, a tool, and a new session by handle whenever the old one ends."""

import asyncio
import warnings

from microphone import KEY, MODEL, URL, WEATHER, Ear, Microphone, tell

warnings.simplefilter("ignore")
from google import genai  # noqa: E402
from google.genai import types  # noqa: E402

TOOLS = [{"function_declarations": [{"name": "get_weather", "description": "The weather of a city."}]}]

latest: dict[str, str] = {}  #: the newest handle


async def main() -> None:
    options = types.HttpOptions(base_url=URL, api_version="v1beta")
    client = genai.Client(api_key=KEY, http_options=options)
    microphone, ear, handle = Microphone(), Ear(), None
    obeying = asyncio.create_task(microphone.obey())
    while not microphone.has_ended.is_set():
        config = {
            "response_modalities": ["AUDIO"],
            "tools": TOOLS,
            "input_audio_transcription": {},
            "output_audio_transcription": {},
            "session_resumption": {"handle": handle},
        }
        try:
            async with client.aio.live.connect(model=MODEL or "gemini-3.8-live", config=config) as session:
                tell(ready=True)
                speaking = asyncio.create_task(speak(session, microphone))
                try:
                    handle = await listen(session, ear, handle)
                finally:
                    speaking.cancel()
        except (
            Exception
        ) as error:  # a client of our own making: whatever ends a session, the next one resumes
            tell(ended=type(error).__name__)
            handle = latest.get("handle", handle)
            await asyncio.sleep(0.2)
    obeying.cancel()


async def speak(session, microphone) -> None:
    async for piece in microphone.chunks(40):
        await session.send_realtime_input(audio=types.Blob(data=piece, mime_type="audio/pcm;rate=16000"))


async def listen(session, ear, handle):
    """Until the server says that it goes. Returns the newest handle."""
    latest.setdefault("handle", handle or "")
    while True:
        async for message in session.receive():
            update = message.session_resumption_update
            if update and update.resumable and update.new_handle:
                latest["handle"] = update.new_handle
            if message.tool_call:
                answers = [
                    types.FunctionResponse(id=call.id, name=call.name, response={"output": WEATHER})
                    for call in message.tool_call.function_calls
                ]
                await session.send_tool_response(function_responses=answers)
            content = message.server_content
            for part in (content and content.model_turn and content.model_turn.parts) or []:
                if part.inline_data:
                    ear.hear(part.inline_data.data)
            if message.go_away:
                return latest["handle"]


asyncio.run(main())
