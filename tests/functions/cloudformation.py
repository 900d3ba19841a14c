"""CloudFormation, as a custom resource meets it: an event, and an address for the answer."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer


class CloudFormation:
    """Takes the one answer of a custom resource."""

    def __init__(self):
        answers = self.answers = []

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self):
                answers.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def event(self, kind, **more):
        return {
            "RequestType": kind,
            "ResponseURL": f"http://127.0.0.1:{self.server.server_port}/answer",
            "StackId": "stack",
            "RequestId": "request",
            "LogicalResourceId": "Keys",
            "ResourceProperties": {"Generation": "1", "Image": "registry/image:1"},
            **more,
        }

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
