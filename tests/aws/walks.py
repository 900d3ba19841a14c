"""One walk for each role: its real code, through everything that it may do. Raises when it is hindered."""

from __future__ import annotations

import asyncio
import io
import json
import threading
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import boto3
import jwt
import pytest

from functions.core.fleet import bundles
from functions.core.fleet.ecs_launcher import STARTED_BY
from functions.core.keys.rotation import Keys, Names
from functions.core.runtime import aws
from functions.core.sessions.replies import Replies
from infra.relay import bootstrap
from protocol import control
from records import budgets, connections, keyring, open_sessions, relays, sessions, tickets
from records.keyring import Keyring
from records.table import Table
from relay.aws import lambdas, wiring
from relay.config import RelayConfig
from relay.task.address import AddressUnknown
from relay.turn import Turn
from tests.aws.emulator import REGION, STACK, Emulator

SECRET = "a-secret-that-is-long-enough-for-hs256"
CONTEXT = SimpleNamespace(aws_request_id="r")


class Hindered(AssertionError):
    """The code did not get done what it is for."""


def require(done: object, what: str) -> None:
    if not done:
        raise Hindered(what)


class Outside:
    """What is not AWS: Google's token endpoint, and a task's metadata and credentials."""

    def __init__(self, emulator: Emulator) -> None:
        network = {"MACAddress": "0e:00:00:00:00:01", "IPv4Addresses": ["10.42.0.9"]}
        key, secret, token = emulator.credentials["RelayRole"]
        answers: dict[str, Any] = {
            "/task": {"Containers": [{"Networks": [network]}]},
            "/credentials": {"AccessKeyId": key, "SecretAccessKey": secret, "Token": token},
        }

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.reply(answers.get(self.path, {}))

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.reply({"name": "auth_tokens/abc"})

            def reply(self, answer: Any) -> None:
                data = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Walker:
    """Prepares the stack as root, then walks as a role under whatever policy it has."""

    def __init__(self, emulator: Emulator, outside: Outside) -> None:
        self.emulator, self.outside = emulator, outside
        self.root = Table(emulator.client("dynamodb"), emulator.stack.table.name)

    def walk(self, name: str) -> None:
        """Raises whatever hinders."""
        role, do = WALKS[name]
        with pytest.MonkeyPatch.context() as self.patch:
            self._prepare(role)
            do(self)

    def _prepare(self, role: str) -> None:
        definition = self.emulator.stack.table.definition
        dynamodb, ssm = self.emulator.client("dynamodb"), self.emulator.client("ssm")
        with suppress(dynamodb.exceptions.ResourceNotFoundException):
            dynamodb.delete_table(TableName=definition["TableName"])
        dynamodb.create_table(**definition)
        kept = {"jwt-secret": SECRET, "route-key": "k", "origin-secret": Keyring("s").text()}
        for name, value in kept.items():
            ssm.put_parameter(Name=f"/{STACK}/{name}", Value=value, Type="SecureString", Overwrite=True)
        ssm.put_parameter(Name="/vivavoce/gemini-api-key", Value="g", Type="SecureString", Overwrite=True)
        for key, value in self.emulator.environment(role).items():
            self.patch.setenv(key, value)
        self.patch.setattr(boto3, "DEFAULT_SESSION", None)  # it would keep who we were before
        for cached in (aws.client, aws.gateway, aws.invoker, aws.table):
            cached.cache_clear()

    def function(self, name: str, of: str = "", **more: str) -> Any:
        """A handler's module with the environment that the template gives it, or the function `of` that."""
        import importlib

        module = importlib.import_module(f"functions.{name}")
        given = self.emulator.stack.functions[f"{STACK}-{of or name}"].environment
        for key, value in {**given, **more}.items():
            self.patch.setenv(key, value)
        for each in vars(module).values():
            if hasattr(each, "cache_clear"):
                each.cache_clear()
        return module

    def connect(self, connection: str, user: str = "ann") -> None:
        """As root: somebody is connected."""
        known = connections.Connection(connection, user, int(time.time()) + 900, "")
        connections.put(self.root, known, int(time.time()))

    # ---- the walks

    def _admitted(self) -> None:
        """`$connect`, which is the session function's as well."""
        token = jwt.encode({"sub": "ann", "exp": int(time.time()) + 60}, SECRET, algorithm="HS256")
        event = {
            "headers": {"Authorization": f"Bearer {token}"},
            "requestContext": {"connectionId": "c0", "routeKey": "$connect"},
        }
        connect = self.function("connect", of="session")
        require(connect.handler(event, CONTEXT)["statusCode"] == 200, "admitted")

    def disconnect_function(self) -> None:
        self.connect("c1")
        self.function("disconnect").handler({"requestContext": {"connectionId": "c1"}}, CONTEXT)
        require(connections.load(self.root, "c1", int(time.time())) is None, "forgotten")

    def session_function(self) -> None:
        self._cluster()
        url = f"{self.emulator.url}/_aws/execute-api/{self.emulator.api}/v1"
        module, told = self.function("session", CONNECTIONS_URL=url), self._replies()
        self._functions()
        asked = self._noted(module.ports().model_refusal.client)
        self._admitted()
        require(len(asked) == 1, "mint is woken")
        self.connect("gone")
        told.pretend = False
        self._send(module, "gone", control.Start("r0", (1,)))
        require(
            connections.load(self.root, "gone", int(time.time())) is None, "a lost connection is forgotten"
        )
        told.pretend = True
        for number in (1, 2):
            self.connect(f"c{number}")
            self._send(module, f"c{number}", control.Start(f"r{number}", (1,)))
        starting = [m for m in told.messages if isinstance(m, control.Starting) and m.stage == "relay"]
        require(len(starting) == 3, "three sessions wait for a relay")
        require(asked, "mint is asked meanwhile whether there is a way to the model")
        (relay,) = relays.pool(self.root).slots.values()
        found = relays.load(self.root, relay)
        require(found is not None and found.launched, "the task was asked for")
        relays.ready(self.root, relay, "ec2-1.amazonaws.com:8080", int(time.time()))
        require(
            module.handler({"relay_ready": relay}, CONTEXT) == {"told": 2, "left": 0},
            "those who wait and are there are told",
        )
        ready = [m for m in told.messages if isinstance(m, control.Ready)]
        require(len(ready) == 2, "ready")
        mine = next(each for each in ready if each.session == starting[1].session)
        self._send(module, "c1", control.Resume(mine.session, mine.resume_key))
        require(len([m for m in told.messages if isinstance(m, control.Ready)]) == 3, "resumed")
        self._send(module, "c1", control.End(mine.session))
        require(isinstance(told.messages[-1], control.ControlEnded), "ended")
        order = self.root.get(relays.key(relay)) or {}
        require(order.get("orders"), "the relay has its order")

    def sweep_function(self) -> None:
        """What died, what nobody knows, who waits for it, and what should be up: each once."""
        self._cluster()
        ecs, now = self.emulator.client("ecs"), int(time.time())
        for task in ecs.list_tasks(cluster=f"{STACK}-Cluster")["taskArns"]:  # of an earlier walk
            ecs.stop_task(cluster=f"{STACK}-Cluster", task=task)
        url = f"{self.emulator.url}/_aws/execute-api/{self.emulator.api}/v1"
        module, told = self.function("sweep", CONNECTIONS_URL=url, WARM_RELAYS="1"), self._replies()
        session, relay = self._session(since=now - relays.START_S)  # it was started, and never came
        self.connect("c", "ann")
        self._stray()
        round_ = module.handler({}, CONTEXT)
        require(round_.get("relays_lost") == 1, f"the lost relay, not {round_}")
        require(round_.get("tasks_stopped") == 1, f"the task of no relay, not {round_}")
        require(round_.get("relays_started") == 1, f"a warm relay, not {round_}")
        errors = [each for each in told.messages if isinstance(each, control.ControlError)]
        require([each.code for each in errors] == ["capacity"], "who waited is told")
        found = sessions.load(self.root, session)
        require(found is not None and found.state == "ENDED", "a session that nobody reached is over")
        (warm,) = relays.pool(self.root).slots.values()
        item = self.root.get(relays.key(warm)) or {}
        require(warm != relay and item.get("launched") and item.get("warm_until"), "it is kept")
        require(not open_sessions.listed(self.root), "and the user may have another")
        arn = self._layer()
        bundles.remove_all(aws.client("lambda"), arn)
        client, name = self.emulator.client("lambda"), f"{STACK}-relay"
        require(not client.list_layer_versions(LayerName=name)["LayerVersions"], "no bundle is left")

    def mint_function(self) -> None:
        session, relay = self._session()
        module = self.function("mint", GEMINI_URL=self.outside.url)
        asked = {"session": session, "epoch": 1, "relay": relay, "handle": None}
        answer = module.handler(asked, CONTEXT)
        require("token" in answer, f"a token, not {answer}")

    def keys_function(self) -> None:
        ssm = aws.client("ssm")
        root = self.emulator.client("ssm")
        root.delete_parameters(
            Names=[f"/{STACK}/{name}" for name in ("route-key", "origin-secret", "jwt-secret")]
        )
        names = Names(f"/{STACK}/route-key", f"/{STACK}/origin-secret", f"/{STACK}/jwt-secret")
        store = SimpleNamespace(write=lambda key, value: None)  # the emulator's cannot be reached: see there
        keys = Keys(ssm, store, names, time.time, lambda _: None)
        keys.ensure()
        keys.rotate()
        held = root.get_parameter(Name=f"/{STACK}/route-key", WithDecryption=True)["Parameter"]["Value"]
        require(keyring.read(held).previous, "rotated")
        keys.remove()
        module = self.function("keys")
        filters = [{"Name": "prefix-list-name", "Values": [module.CLOUDFRONT]}]
        aws.client("ec2").describe_managed_prefix_lists(Filters=filters)

    def relay_task(self) -> None:
        session, relay = self._session()
        arn = self._layer()
        given = self.emulator.stack.task.environment | {"RELAY_ID": relay, "RELAY_SLOT": "0"}
        given |= {"RELAY_REVISION": "1", "RELAY_BUNDLE": arn}
        given |= {"ECS_CONTAINER_METADATA_URI_V4": self.outside.url}
        credentials = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self.outside.url}/credentials"}
        bundle = bootstrap.bundle(given | credentials | {"AWS_ENDPOINT_URL_LAMBDA": self.emulator.url})
        require(bundle, "the bundle")
        asyncio.run(self._relay(RelayConfig.from_env(given), session))

    async def _relay(self, config: RelayConfig, session: str) -> None:
        cloud = wiring.connect(config)
        ledger, task, functions = cloud.ledger, cloud.task, cloud.functions
        try:
            await wiring.find_address(config, 8080)
        except AddressUnknown as nowhere:  # no such interface; saying so is what counts
            require(str(nowhere) == "public DNS name", str(nowhere))
        await task.ready("ec2-1.amazonaws.com:8080")
        require(await wiring.origin_check(config)("s"), "the edge's secret")
        require(await self._announced(functions), "those who wait are told")
        minted = await functions.mint(session, 1, None)
        require(minted.token == "t", "a token")
        ticket = tickets.new()
        bound = tickets.Ticket(session, 1, config.relay, "")
        tickets.put(self.root, ticket, bound, int(time.time()))
        require((await ledger.burn(ticket, config.relay)).status == "ok", "the ticket")
        record = await ledger.load(session)
        require(record is not None and record.relay == config.relay, "the session")
        assert record is not None
        turn = Turn(1, 0.0, 1.0, user_text="a", agent_text="b")
        await ledger.save_turn(record, 1, turn)
        await ledger.save_handle(record, 1, "handle")
        relays.order(self.root, config.relay, f"end:{session}")
        require(await task.heartbeat({session}, {}) == {f"end:{session}"}, "the order")
        held = {session: 1, "another": 1}
        require(await ledger.disowned(held) == {"another": "superseded"}, "what is not its own")
        await ledger.finish(record, 1, "client")
        await task.stopping()
        await task.leave()
        require(not relays.pool(self.root).slots, "the slot is free")

    async def _announced(self, functions: lambdas.Functions) -> bool:
        """Once: `announce` itself tries again and again, and never fails."""
        self.patch.setattr(lambdas, "ANNOUNCEMENTS", 1)
        told, invoke = [], functions.invoke

        async def noting(function: str, event: dict[str, Any]) -> dict[str, Any]:
            told.append(await invoke(function, event))
            return told[-1]

        self.patch.setattr(functions, "invoke", noting)
        await functions.announce()
        return told != [] and told[-1].get("left") == 0

    # ---- what they stand on

    def _send(self, module: Any, connection: str, message: Any) -> None:
        from protocol.codec import encode

        kind = message.__struct_config__.tag
        context = {"connectionId": connection, "routeKey": kind}
        module.handler({"requestContext": context, "body": encode(message)}, CONTEXT)

    def _replies(self) -> SimpleNamespace:
        """Every reply is posted for real, to connections that are gone; then it counts as delivered."""
        told = SimpleNamespace(messages=[], pretend=True)
        send, post = Replies.send, Replies.post

        def noting(replies: Replies, connection: str, message: Any) -> bool:
            told.messages.append(message)
            return send(replies, connection, message)

        def pretending(replies: Replies, connection: str, data: bytes) -> str:
            code = post(replies, connection, data)
            return "" if told.pretend and code == "GoneException" else code

        self.patch.setattr(Replies, "send", noting)
        self.patch.setattr(Replies, "post", pretending)
        return told

    def _noted(self, client: Any) -> list[object]:
        """Answers of the functions that this client invokes; a refused invocation has none."""
        answers: list[object] = []
        invoke = client.invoke

        def noting(**named: Any) -> Any:
            answers.append(invoke(**named))
            return answers[-1]

        self.patch.setattr(client, "invoke", noting)
        return answers

    def _stray(self) -> None:
        """As root: a task whose relay nobody knows."""
        self.emulator.client("ecs").run_task(
            cluster=f"{STACK}-Cluster", taskDefinition=f"{STACK}-relay", startedBy=f"{STARTED_BY}nobody"
        )

    def _session(self, since: int = 0) -> tuple[str, str]:
        """As root: a session on a relay that is starting, since now or then (epoch s)."""
        now = since or int(time.time())
        relays.register(self.root, "relay1", slot="0", revision="1", capacity=5, now=now)
        draft = sessions.Draft(
            id="s1", user="ann", request="r", agent="assistant", config=control.Config(), tools=(),
            metadata={}, connection="c", origin="", ends_at=now + 600, key_hash="h",
        )  # fmt: skip
        money = budgets.Limits(session=100_000, user=1_000_000)
        account = budgets.open_steps("s1", "ann", "assistant", money, ends_at=draft.ends_at, now=now)
        made = sessions.create(self.root, draft, limit=3, now=now, also=account)
        sessions.place(self.root, made, "relay1", state="STARTING", until=now + 60, now=now, leave=False)
        return "s1", "relay1"

    def _cluster(self) -> None:
        ecs = self.emulator.client("ecs")
        ecs.create_cluster(clusterName=f"{STACK}-Cluster")
        ecs.register_task_definition(
            family=f"{STACK}-relay", requiresCompatibilities=["FARGATE"], networkMode="awsvpc",
            cpu="256", memory="512", containerDefinitions=[{"name": "relay", "image": "x"}],
        )  # fmt: skip

    def _functions(self) -> bytes:
        """As root: functions that answer as mint and session do. Returns their code."""
        packed = io.BytesIO()
        answer = {"token": "t", "model": "m", "expires_at": 1, "token_lock": "full", "left": 0}
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("f.py", f"def handler(event, context):\n    return {answer!r}\n")
        code, client = packed.getvalue(), self.emulator.client("lambda")
        for name in ("mint", "session"):
            with suppress(client.exceptions.ResourceConflictException):
                role = "arn:aws:iam::000000000000:role/MintFunctionRole"
                client.create_function(
                    FunctionName=f"{STACK}-{name}", Runtime="python3.13", Role=role, Handler="f.handler",
                    Code={"ZipFile": code},
                )  # fmt: skip
        return code

    def _layer(self) -> str:
        """As root: the layer, and the functions that a relay asks."""
        client = self.emulator.client("lambda")
        layer = client.publish_layer_version(
            LayerName=f"{STACK}-relay", Content={"ZipFile": self._functions()}
        )
        assert layer["LayerVersionArn"].split(":")[3] == REGION
        return str(layer["LayerVersionArn"])


#: walk to the role under whose policy it goes
WALKS: dict[str, tuple[str, Callable[[Walker], None]]] = {
    "disconnect": ("DisconnectFunctionRole", Walker.disconnect_function),
    "session": ("SessionFunctionRole", Walker.session_function),
    "sweep": ("SweepFunctionRole", Walker.sweep_function),
    "mint": ("MintFunctionRole", Walker.mint_function),
    "keys": ("KeysFunctionRole", Walker.keys_function),
    "relay": ("RelayRole", Walker.relay_task),
}
