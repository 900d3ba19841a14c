"""The local stack by Vertex's road: mint's AWS identity becomes a bearer, and a call is held with it."""

from __future__ import annotations

import simulator
from infra.local.stack import LocalStack, Options
from simulator import Config, parse
from tests import dialect
from tests.e2e.conftest import System
from tests.e2e.talk import user
from tests.witness import WITNESS

POOL = "projects/1/locations/global/workloadIdentityPools/aws"
PARAMETERS = {
    "VertexProject": "a-project",
    "VertexLocation": "us-central1",
    "VertexProvider": f"//iam.googleapis.com/{POOL}/providers/aws",
    "VertexServiceAccount": "voice@a-project.iam.gserviceaccount.com",
}
NO_KEY = "no key is read on this road"


async def test_a_call_is_held_by_vertex_without_a_key_of_googles() -> None:
    WITNESS.keeps(NO_KEY, "the model's key")
    config = Config(api_key="another", scenario=parse("settings: {dialect: profile}"))
    async with simulator.serve(config) as model:
        options = Options(
            gemini_url=model.url, gemini_key=NO_KEY, parameters=dialect.parameters(**PARAMETERS)
        )
        async with LocalStack(options) as stack, user(System(stack, model)) as talk:
            await talk.call.send_text("hello")
            await model.ledger.wait_for("answer.begun", within_s=20, text="You wrote: hello")
        WITNESS.logs(line.text for line in stack.logs.lines)
    assert model.ledger.where("session.opened") and not model.ledger.where("token.minted")
