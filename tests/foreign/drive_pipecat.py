"""pipecat-ai with its Gemini Live service as they come: a pipeline between a microphone and an ear."""

import asyncio
import sys

from google.genai.types import HttpOptions
from loguru import logger
from microphone import KEY, MODEL, URL, WEATHER, Ear, Microphone, tell
from pipecat.adapters.schemas.function_schema import FunctionSchema
from pipecat.adapters.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import EndFrame, InputAudioRawFrame, LLMRunFrame, OutputAudioRawFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import PipelineRunner
from pipecat.pipeline.task import PipelineTask
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.google.gemini_live.llm import GeminiLiveLLMService

TOOL = FunctionSchema(
    name="get_weather",
    description="The weather of a city.",
    properties={"city": {"type": "string"}},
    required=[],
)


class Listener(FrameProcessor):
    """Hears what the service says."""

    def __init__(self, ear: Ear) -> None:
        super().__init__()
        self._ear = ear

    async def process_frame(self, frame, direction) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, OutputAudioRawFrame):
            self._ear.hear(frame.audio)
        await self.push_frame(frame, direction)


async def weather(params) -> None:
    await params.result_callback({"output": WEATHER})


async def speak(task: PipelineTask, microphone: Microphone) -> None:
    async for piece in microphone.chunks(40):
        await task.queue_frames([InputAudioRawFrame(audio=piece, sample_rate=16_000, num_channels=1)])


async def main() -> None:
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    microphone, ear = Microphone(), Ear()
    settings = {"settings": GeminiLiveLLMService.Settings(model=MODEL)} if MODEL else {}
    service = GeminiLiveLLMService(
        api_key=KEY,
        http_options=HttpOptions(base_url=URL),
        **settings,
    )
    service.register_function("get_weather", weather)
    seed = [{"role": "user", "content": "Say hello."}]  # as its examples have one
    pair = LLMContextAggregatorPair(LLMContext(seed, tools=ToolsSchema(standard_tools=[TOOL])))
    task = PipelineTask(Pipeline([pair.user(), service, Listener(ear), pair.assistant()]))
    running = asyncio.create_task(PipelineRunner(handle_sigint=False).run(task))
    await task.queue_frames([LLMRunFrame()])
    tell(ready=True)
    speaking = asyncio.create_task(speak(task, microphone))
    await microphone.obey()
    speaking.cancel()
    await task.queue_frames([EndFrame()])
    await asyncio.wait({running}, timeout=5)
    await task.cancel()


asyncio.run(main())
