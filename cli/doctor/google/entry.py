"""Before a first contact: is the model there at all? Where it is not, no scene would see anything of it."""

from __future__ import annotations

from dataclasses import replace

from cli.doctor.google.player import Scene, Stage
from cli.failure import Failure
from cli.stack.gemini_server import GeminiServer
from gemini import refusals
from gemini.contact.kit import Kit
from gemini.contact.recording import Recording, Talk
from gemini.contact.scenes import entry

#: what is wrong and what to do, by the registry's code: refusals that no entry of a profile explains
_REFUSALS = {
    "": ("{server} makes tokens, and could not be reached for a connection", "Check the network."),
    "mint_failed": ("{server} made one token, and none for {model}", "Try again."),
    "key_refused": ("{server} refuses the model {model} to the key in {key}", "Give another key."),
    "upstream_auth": ("{server} does not take the token that it has made", "Try again."),
    "upstream_credits": ("the project of {key} has no credit left, says {server}", "Put money on it."),
    "upstream_model": ("{server} has no model {model}", "Give another one as --model."),
    "upstream_overload": ("{server} is overloaded", "Try again later."),
    "upstream_quota": ("the quota of {key} is used up, says {server}", "Try again later."),
    "upstream_region": ("{server} does not serve {model} from here", "Go out from a country that it serves."),
    "upstream_unavailable": ("{server} opens no connection just now", "Try again."),
}


async def check_entry(stage: Stage, kit: Kit, server: GeminiServer) -> None:
    """Open one connection and close it, off the record; it costs nothing. Raises Failure.

    A setup that is refused for one of its fields is none: what the model takes is what is to be found out.
    """
    aside = replace(stage, recording=Recording())
    await Scene("entry", aside).play(entry(kit))
    talk = aside.recording.talk("entry.1")
    if talk.is_set_up:
        return
    if talk.end is None:
        raise Failure(f"{server.name} has not answered the setup of {kit.model}.", "Try again later.")
    if talk.refusal in _REFUSALS:
        what, advice = _REFUSALS[talk.refusal]
        told = what.format(server=server.name, model=kit.model, key=server.key_name)
        raise Failure(f"{told} ({_words(talk)}).", advice)


def _words(talk: Talk) -> str:
    """Google's own words, as far as a terminal may show them."""
    assert talk.end is not None
    code, reason = talk.end
    return f"{code} {refusals.scrub(reason)}".strip() if code else reason
