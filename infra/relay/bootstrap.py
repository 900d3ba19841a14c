"""Fetches the relay's bundle into a stock Python image, checks it, and becomes the relay.

    python -c <this text> python -m relay

The bundle is a Lambda layer version: the deployment publishes it with the functions, and its ARN in
RELAY_BUNDLE names one content forever. Standard library only, for there is nothing else yet.
"""

import base64
import datetime
import hashlib
import hmac
import io
import json
import os
import sys
import time
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Mapping

NOBODY = 65534
WAITS_S = (0.5, 1.0, 2.0)
PROXYLESS = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def fetch(url: str, headers: Mapping[str, str] | None = None) -> bytes:
    """The body of `url`; a network that is just coming up gets some seconds."""
    request = urllib.request.Request(url, headers=dict(headers or {}))
    for wait_s in (*WAITS_S, None):
        try:
            with PROXYLESS.open(request, timeout=20) as answer:
                return bytes(answer.read())
        except OSError:
            if wait_s is None:
                raise
            time.sleep(wait_s)
    raise AssertionError


def signed(url: str, region: str, credentials: Mapping[str, str], now: datetime.datetime) -> dict[str, str]:
    """Headers of a GET to Lambda, in Signature Version 4."""
    at = urllib.parse.urlsplit(url)
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    headers = {
        "host": at.netloc,
        "x-amz-date": stamp,
        "x-amz-security-token": credentials["Token"],
    }
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    empty = hashlib.sha256(b"").hexdigest()
    request = f"GET\n{at.path}\n{at.query}\n{lines}\n{names}\n{empty}"
    scope = f"{day}/{region}/lambda/aws4_request"
    digest = hashlib.sha256(request.encode()).hexdigest()
    key = f"AWS4{credentials['SecretAccessKey']}".encode()
    for part in (day, region, "lambda", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}".encode(), "sha256").hex()
    who = f"Credential={credentials['AccessKeyId']}/{scope}"
    headers["authorization"] = f"AWS4-HMAC-SHA256 {who}, SignedHeaders={names}, Signature={signature}"
    return headers


def bundle(environment: Mapping[str, str]) -> bytes:
    """The zip that RELAY_BUNDLE names. Raises SystemExit when it is not what Lambda published."""
    arn = environment["RELAY_BUNDLE"]
    _, _, _, region, *_ = arn.split(":")
    base = environment.get("AWS_ENDPOINT_URL_LAMBDA") or f"https://lambda.{region}.amazonaws.com"
    whose = environment.get("AWS_CONTAINER_CREDENTIALS_FULL_URI") or (
        "http://169.254.170.2" + environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]
    )
    credentials = json.loads(fetch(whose))
    url = f"{base}/2018-10-31/layers?Arn={urllib.parse.quote(arn, safe='')}&find=LayerVersion"
    now = datetime.datetime.now(datetime.UTC)
    content = json.loads(fetch(url, signed(url, region, credentials, now)))["Content"]
    data = fetch(content["Location"])
    found = base64.b64encode(hashlib.sha256(data).digest()).decode()
    if not hmac.compare_digest(found, content["CodeSha256"]):
        sys.exit("bootstrap: the bundle is not the one that was published")
    return data


def main() -> None:
    """Unpack to a volume, give up root, and exec the arguments."""
    place = os.environ.get("BUNDLE_DIRECTORY", "/bundle")
    with zipfile.ZipFile(io.BytesIO(bundle(os.environ))) as archive:
        archive.extractall(place)
    environment = {**os.environ, "PYTHONPATH": f"{place}/python"}
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    os.chdir(place)
    os.execvpe(sys.argv[1], sys.argv[1:], environment)


if __name__ == "__main__":
    main()
