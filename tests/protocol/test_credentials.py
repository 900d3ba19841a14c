"""Credentials in the handshake, beyond the vectors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.credentials import Kind, credential, offer, offered
from protocol.errors import LocalProtocolError, RemoteProtocolError
from protocol.limits import JWT_ENTRY_BYTES, SUBPROTOCOL
from tests.protocol.search import searched

SECRETS = st.text("ABCabc019._~-", min_size=1, max_size=80)
KINDS: st.SearchStrategy[Kind] = st.sampled_from(["jwt", "ticket"])


@searched(100)
@given(kind=KINDS, secret=SECRETS)
def test_what_is_offered_is_read(kind: Kind, secret: str) -> None:
    entries = offer(kind, secret)
    assert entries[0] == SUBPROTOCOL
    assert credential(kind, offered(", ".join(entries)), None) == secret
    assert credential(kind, [], f"Bearer {secret}") == secret


@searched(200)
@given(kind=KINDS, header=st.none() | st.text(max_size=60), authorization=st.none() | st.text(max_size=60))
def test_any_header_is_read_or_refused(kind: Kind, header: str | None, authorization: str | None) -> None:
    try:
        secret = credential(kind, offered(header), authorization)
    except RemoteProtocolError as error:
        assert error.code in ("auth_missing", "auth_invalid")
    else:
        assert secret
        assert offer(kind, secret)


def test_a_jwt_that_is_too_long_is_refused_by_its_owner() -> None:
    assert offer("jwt", "a" * JWT_ENTRY_BYTES)
    with pytest.raises(LocalProtocolError, match="too_large"):
        offer("jwt", "a" * (JWT_ENTRY_BYTES + 1))
