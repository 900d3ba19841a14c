"""What the deployment under test was given."""

import time
from types import SimpleNamespace

import jwt

JWT_SECRET = "jwt-secret-that-nobody-may-ever-see-in-a-log"
ROUTE_KEY = "route-key-that-nobody-may-ever-see-in-a-log"
GEMINI_KEY = "gemini-key-that-nobody-may-ever-see-in-a-log"
ORIGIN = "https://app.example"
CONTEXT = SimpleNamespace(aws_request_id="request-1", function_name="f")


def make_jwt(user="ada", expires_in=600, secret=JWT_SECRET, algorithm="HS256", **claims):
    content = {"sub": user, "exp": int(time.time()) + expires_in} | claims
    return jwt.encode({name: held for name, held in content.items() if held is not None}, secret, algorithm)
