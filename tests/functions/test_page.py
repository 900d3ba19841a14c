"""The console page: the files that are there, with headers that keep it to itself."""

import base64
import json

import pytest

from functions import page

CONTROL = "wss://abc.execute-api.eu-west-1.amazonaws.com/v1"


@pytest.fixture(autouse=True)
def built(tmp_path, monkeypatch):
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html>")
    (tmp_path / "assets" / "index-1a2b.js").write_text("1")
    (tmp_path / "assets" / "font.woff2").write_bytes(b"\x00\xff")
    (tmp_path.parent / "secret").write_text("no")
    monkeypatch.setattr(page, "FILES", tmp_path)
    monkeypatch.setenv("CONTROL_URL", CONTROL)
    forget()
    yield
    forget()


def forget():
    page.files.cache_clear()
    page.addresses.cache_clear()
    page.silent_since.clear()


def get(path, method="GET"):
    answer = page.handler({"rawPath": path, "requestContext": {"http": {"method": method}}}, None)
    return answer["statusCode"], answer["headers"], base64.b64decode(answer["body"])


def test_the_top_is_the_page_and_is_asked_for_anew_each_time():
    status, headers, body = get("/")
    assert (status, body) == (200, b"<!doctype html>")
    assert (headers["content-type"], headers["cache-control"]) == ("text/html; charset=utf-8", "no-cache")


def test_what_is_named_by_its_content_is_kept_for_good():
    status, headers, _ = get("/assets/index-1a2b.js")
    assert (status, headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    assert "immutable" in headers["cache-control"]
    assert get("/assets/font.woff2")[1:] == (get("/assets/font.woff2")[1], b"\x00\xff")


def test_it_tells_where_the_control_road_is():
    status, headers, body = get("/config.json")
    assert (status, json.loads(body), headers["content-type"]) == (200, {"url": CONTROL}, "application/json")


@pytest.mark.parametrize(
    "path", ["/../secret", "/assets/../../secret", "//etc/passwd", "/%2e%2e/secret", "/x"]
)
def test_nothing_else_can_be_had(path):
    assert get(path)[0] == 404


def test_only_reading_is_possible():
    assert get("/", "POST")[0] == 405
    assert get("/", "HEAD")[0] == 200


def test_it_may_connect_to_us_and_to_the_control_road_only(monkeypatch):
    policy = get("/")[1]["content-security-policy"]
    assert f"connect-src 'self' {CONTROL.removesuffix('/v1')};" in policy
    assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy
    monkeypatch.setenv("MEDIA_URL", "wss://m.example")
    assert "wss://m.example;" in get("/")[1]["content-security-policy"]
    monkeypatch.setenv("MICROVM_URLS", "wss://*.lambda-microvm.eu-west-1.on.aws")
    assert "wss://*.lambda-microvm.eu-west-1.on.aws;" in get("/")[1]["content-security-policy"]


@pytest.fixture
def provider(edges, monkeypatch):
    """An identity provider, which the page's function asks for its addresses."""
    monkeypatch.setenv("OIDC_ISSUER", edges.url)
    monkeypatch.setenv("OIDC_AUDIENCE", "a-client")
    addresses = {
        "authorization_endpoint": "https://in.example/authorize",
        "token_endpoint": "https://in.example/token",
    }
    edges.documents["/.well-known/openid-configuration"] = addresses
    return edges.documents


def test_with_an_issuer_and_a_client_the_page_is_told_where_to_sign_in(provider):
    _, headers, body = get("/config.json")
    asked = {"authorize": "https://in.example/authorize", "token": "https://in.example/token"}
    assert json.loads(body) == {"url": CONTROL, "signIn": {**asked, "client": "a-client"}}
    assert "https://in.example;" in headers["content-security-policy"]
    assert get("/")[1]["content-security-policy"] == headers["content-security-policy"]


def test_an_issuer_that_does_not_answer_is_asked_once_for_all_files_of_a_page(provider, monkeypatch):
    """Each question may take three seconds, and a page is several files, one after the other."""
    asked, now = [], [1000.0]
    monkeypatch.setattr(page.time, "monotonic", lambda: now[0])
    ask = page.urllib.request.urlopen
    monkeypatch.setattr(page.urllib.request, "urlopen", lambda *a, **k: asked.append(a) or ask(*a, **k))
    document = provider.pop("/.well-known/openid-configuration")
    for path in ("/", "/assets/index-1a2b.js", "/assets/font.woff2"):
        assert get(path)[0] == 200
    assert json.loads(get("/config.json")[2]) == {"url": CONTROL} and len(asked) == 1
    provider["/.well-known/openid-configuration"] = document
    now[0] += page.AGAIN_S
    assert "signIn" in json.loads(get("/config.json")[2]) and len(asked) == 2


def test_an_issuer_without_a_client_signs_nobody_in_here(provider, monkeypatch):
    """Its tokens are for whatever asks for them, and the page has no id to ask with."""
    monkeypatch.setenv("OIDC_AUDIENCE", "")
    assert json.loads(get("/config.json")[2]) == {"url": CONTROL}
