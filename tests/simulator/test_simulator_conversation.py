"""Conversations over a real socket, as a bare client has them."""

from live_client import live, speech_in, transcript

from simulator import Running
from simulator.audio import tones
from simulator.audio.similarity import similarity
from simulator.speech.samples import Sample


async def test_speech_is_answered_with_a_code_and_the_users_own_words(
    running: Running, known: dict[str, Sample]
) -> None:
    question = known["question"]
    async with live(running) as client:
        await client.say(question.pcm)
        messages = await client.turn()
    spoken = speech_in(messages)
    [answer] = running.ledger.where("answer.begun")
    assert tones.decode(spoken) == answer["code"]
    assert similarity(question.pcm, tones.strip(spoken)) > 0.95
    assert transcript(messages, "input") == transcript(messages, "output") == question.text


async def test_turn_complete_is_held_until_the_audio_has_been_heard(
    running: Running, known: dict[str, Sample]
) -> None:
    async with live(running) as client:
        await client.say(known["interruption"].pcm)
        messages = await client.turn()
    contents = [message.get("serverContent", {}) for message in messages]
    assert [name for content in contents for name in content if name.endswith("Complete")] == [
        "generationComplete",
        "turnComplete",
    ]
    begun = await running.ledger.wait_for("answer.begun")
    ended = await running.ledger.wait_for("turn.ended")
    assert ended["t"] - begun["t"] >= begun["duration_s"]


async def test_text_is_answered_with_a_composed_sentence(running: Running) -> None:
    async with live(running) as client:
        await client.send(
            clientContent={"turns": [{"role": "user", "parts": [{"text": "hello"}]}], "turnComplete": True}
        )
        messages = await client.turn()
    [answer] = running.ledger.where("answer.begun")
    assert transcript(messages) == "You wrote: hello"
    assert [word[0] for word in answer["words"]] == ["You", "wrote:", "hello"]
    assert tones.decode(speech_in(messages)) == answer["code"]


async def test_unknown_speech_is_transcribed_by_its_length(
    running: Running, known: dict[str, Sample]
) -> None:
    half = known["question"].pcm[: 32_000 * 2]
    async with live(running) as client:
        await client.say(half)
        messages = await client.turn()
    assert transcript(messages, "input").startswith("[speech ")


async def test_a_stage_direction_is_followed_and_not_repeated(running: Running) -> None:
    async with live(running) as client:
        await client.send(realtimeInput={"text": "(Begin.)"})
        assert transcript(await client.turn()) == "Hello. What can I do for you?"
