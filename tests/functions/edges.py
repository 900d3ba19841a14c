"""What lies beyond the functions, on a loopback socket: `@connections`, ECS and Google's token endpoint."""

import json
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote


class Edges:
    """Records what it is asked. Faults are set by the tests and gone with `reset`."""

    def __init__(self):
        self.lock = threading.Lock()
        self.reset()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self._thread.start()

    def reset(self):
        self.posts = defaultdict(list)  #: connection to the messages it got
        self.gone = set()  #: connections that are closed
        self.closed = []  #: those that a function has closed, as often as it did
        self.throttle = 0  #: so many posts are answered 429
        self.run_task_requests = []
        self.tasks = {}  #: client token to task: asking twice starts one
        self.stopped = []  #: who started the tasks that were stopped
        self.drain_looks = 0  #: how often a stopped task is described before it is gone
        self.lists_fail = False  #: ECS does not say which tasks there are
        self.run_task_failure = None  #: "error" or "no tasks"
        self.token_requests = []  #: headers and body
        self.token_failure = None  #: an HTTP status
        self.token_complaint = "quoted back"  #: what is said with it
        self.token_details = []  #: and beside it
        self.token_keys = None  #: the only keys that are taken; None: any
        self.documents = {}  #: path to what GET answers

    def close(self):
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()

    def take(self, connection):
        """Messages posted to a connection since they were last taken."""
        with self.lock:
            return self.posts.pop(connection, [])

    def post(self, connection, data):
        if connection in self.gone:
            return 410, {"message": "gone"}, "GoneException"
        if self.throttle:
            self.throttle -= 1
            return 429, {"message": "slow down"}, "LimitExceededException"
        self.posts[connection].append(json.loads(data))
        return 200, {}, None

    def run_task(self, request):
        self.run_task_requests.append(request)
        if self.run_task_failure == "error":
            return 400, {"__type": "ClusterNotFoundException", "message": "no cluster"}, None
        if self.run_task_failure == "no tasks":
            return 200, {"tasks": [], "failures": [{"reason": "RESOURCE:CPU"}]}, None
        made = {"taskArn": f"arn:aws:ecs:::task/{len(self.tasks)}", "startedBy": request["startedBy"]}
        task = self.tasks.setdefault(request["clientToken"], made | {"lastStatus": "PROVISIONING"})
        return 200, {"tasks": [task], "failures": []}, None

    def list_tasks(self, request):
        if self.lists_fail:
            return 400, {"__type": "ServerException", "message": "no"}, None
        wanted = request.get("desiredStatus", "RUNNING")
        known = [t["taskArn"] for t in self.tasks.values() if t.get("desiredStatus", "RUNNING") == wanted]
        start = int(request.get("nextToken", 0))
        following = {"nextToken": str(start + 2)} if start + 2 < len(known) else {}
        return 200, {"taskArns": known[start : start + 2]} | following, None  # small pages

    def describe_tasks(self, request):
        found = [task for task in self.tasks.values() if task["taskArn"] in request["tasks"]]
        for task in found:
            if task.get("looks"):
                task["looks"] -= 1
            elif task.get("desiredStatus") == "STOPPED":
                task["lastStatus"] = "STOPPED"
        return 200, {"tasks": found, "failures": []}, None

    def stop_task(self, request):
        (task,) = (task for task in self.tasks.values() if task["taskArn"] == request["task"])
        task |= {"desiredStatus": "STOPPED", "looks": self.drain_looks}
        task["lastStatus"] = "STOPPING" if self.drain_looks else "STOPPED"
        self.stopped.append(task["startedBy"])
        return 200, {"task": task}, None

    def token(self, path, headers, body):
        self.token_requests.append((path, dict(headers), json.loads(body)))
        if self.token_keys is not None and dict(headers)["x-goog-api-key"] not in self.token_keys:
            return 401, {"error": {"code": 401, "message": "", "status": "UNAUTHENTICATED"}}, None
        if self.token_failure:
            told = {
                "code": self.token_failure,
                "message": self.token_complaint,
                "details": self.token_details,
            }
            return self.token_failure, {"error": told}, None
        return 200, {"name": f"auth_tokens/token-{len(self.token_requests)}"}, None


def _handler(edges):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with edges.lock:
                self.reply(*self.route(body))

        def do_DELETE(self):
            with edges.lock:
                edges.closed.append(unquote(self.path.rpartition("/")[2]))
                self.reply(204, {}, None)

        def do_GET(self):
            found = edges.documents.get(self.path)
            self.reply(*((200, found, None) if found is not None else (404, {}, None)))

        def route(self, body):
            if "/@connections/" in self.path:
                return edges.post(unquote(self.path.rpartition("/")[2]), body)
            ecs = {
                "RunTask": edges.run_task,
                "ListTasks": edges.list_tasks,
                "DescribeTasks": edges.describe_tasks,
                "StopTask": edges.stop_task,
            }
            call = ecs.get(self.headers.get("X-Amz-Target", "").rpartition(".")[2])
            if call:
                return call(json.loads(body))
            return edges.token(self.path, self.headers, body)

        def reply(self, status, body, error):
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            if error:
                self.send_header("x-amzn-ErrorType", error)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    return Handler
