"""Signed routes: nobody but us chooses what the edge dials."""

import base64
import hashlib
import hmac

import pytest
from dynamo import NOW
from hypothesis import given
from hypothesis import strategies as st

from records.routes import read_route, sign_route

KEY = b"k" * 32
ADDRESS = "ec2-203-0-113-7.compute.example:8080"


def test_a_signed_path_gives_the_address():
    path = sign_route(KEY, "3", ADDRESS, NOW + 60)
    assert path.startswith("/r/3/") and "=" not in path
    assert read_route(KEY, path, NOW) == ADDRESS


def test_the_bytes_are_those_the_edge_expects():
    payload = base64.urlsafe_b64encode(b"host:1|99").rstrip(b"=").decode()
    digest = hmac.new(KEY, f"s/{payload}".encode(), hashlib.sha256).digest()
    signature = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert sign_route(KEY, "s", "host:1", 99) == f"/r/s/{payload}.{signature}"


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.replace("/r/3/", "/r/4/"),
        lambda path: path + "A",
        lambda path: path + "\n",
        lambda path: "/x" + path,
        lambda path: path.replace(".", "x.", 1),
        lambda path: "",
    ],
)
def test_a_changed_path_is_refused(change):
    with pytest.raises(ValueError, match=r"^route$"):
        read_route(KEY, change(sign_route(KEY, "3", ADDRESS, NOW + 60)), NOW)


def test_an_expired_path_and_another_key_are_refused():
    path = sign_route(KEY, "3", ADDRESS, NOW)
    with pytest.raises(ValueError, match=r"^route$"):
        read_route(KEY, path, NOW)
    with pytest.raises(ValueError, match=r"^route$"):
        read_route(b"other", path, NOW - 1)


@given(st.text())
def test_anything_else_is_a_value_error(path):
    with pytest.raises(ValueError, match=r"^route$"):
        read_route(KEY, path, 0)
