"""What Google's words for a refusal come to: a code of the registry, and what of them may be logged."""

from __future__ import annotations

import pytest

from gemini.refusals import by_close, by_status, scrub
from protocol.errors import REGISTRY

#: As long as it comes in a close frame, and it names the key that a token stands for.
UNREGISTERED = (
    "Method doesn't allow unregistered callers (callers without established identity). "
    "Please use API Key or other form of API con"
)


@pytest.mark.parametrize(
    ("close", "reason", "code"),
    [
        (1011, "Resource exhausted", "upstream_quota"),
        (1011, "Resource has been exhausted (e.g. check quota).", "upstream_quota"),
        (
            1011,
            "You exceeded your current quota, please check your plan and billing details.",
            "upstream_quota",
        ),
        (1011, "Your prepayment credits are depleted.", "upstream_credits"),
        (1011, "Token has been used too many times", "upstream_auth"),
        (1011, "Token has expired", "upstream_auth"),
        (1011, "auth token has expired", "upstream_auth"),
        (1007, "API key not valid. Please pass a valid API key.", "key_refused"),
        (1008, "API key expired. Please renew the API key.", "key_refused"),
        (1008, "Your API key was reported as leaked.", "key_refused"),
        (1008, UNREGISTERED, "upstream_auth"),
        (1011, "The service is currently unavailable.", "upstream_overload"),
        (1011, "The model is overloaded. Please try again later.", "upstream_overload"),
        (1007, "Request contains an invalid argument.", "upstream_invalid"),
        (1007, "User location is not supported for the API use.", "upstream_region"),
        (1008, "The model is not available in your country.", "upstream_region"),
        (1008, "models/x is not found for API version v1beta", "upstream_model"),
        (
            1008,
            "Publisher model projects/p/locations/global/publishers/google/models/x was not found",
            "upstream_model",
        ),
        (1008, "models/x is not supported for bidiGenerateContent.", "upstream_model"),
        (1011, "Billing is disabled for project 7.", "upstream_credits"),
        (1008, "This API method requires billing to be enabled.", "upstream_credits"),
        (1008, "Requested entity was not found", "upstream_invalid"),
        (1008, "Operation is not implemented, or supported, or enabled.", "upstream_invalid"),
        (1008, "The operation was aborted.", "upstream_unavailable"),
        (1008, "The operation was cancelled.", "upstream_unavailable"),
        (1008, "Deadline exceeded", "upstream_unavailable"),
        (1011, "context deadline exceeded", "upstream_unavailable"),
        (1008, "Context deadline exceeded while waiting for the model", "upstream_unavailable"),
        (1011, "rpc error: context canceled", "upstream_unavailable"),
        (1011, "Deadline expired before operation could complete.", "upstream_unavailable"),
        (
            1007,
            "The input token count (131073) exceeds the maximum number of tokens",
            "upstream_context_full",
        ),
        (1008, "The context window is full", "upstream_context_full"),
        (1011, "Internal error encountered.", "upstream_unavailable"),
        (1008, "Blocked by policy", "upstream_policy"),
        (1008, "", "upstream_unavailable"),
        (1008, "Something new that nobody has reported.", "upstream_unavailable"),
        (1008, "Session timed out", "upstream_unavailable"),
        (1011, "Response blocked: PROHIBITED_CONTENT", "upstream_policy"),
        (1007, "The prompt was blocked for safety reasons.", "upstream_policy"),
        (1008, "This content violates our usage policies.", "upstream_policy"),
        (1007, "Invalid value at 'setup.safety_settings[0]'", "upstream_invalid"),
        (1007, "Context window compression is not supported for this model.", "upstream_invalid"),
        (1008, "Rate limit exceeded", "upstream_quota"),
        (1008, "Too many concurrent sessions", "upstream_quota"),
        (1008, "Too many requests", "upstream_quota"),
        (1008, "Requests from referer <empty> are blocked.", "key_refused"),
        (1008, "Requests to this API BidiGenerateContent are blocked.", "key_refused"),
        (1008, "API keys are not supported by this API. Expected OAuth2 access token", "key_refused"),
        (1008, "Gemini API has not been used in project 123 before or it is disabled.", "key_refused"),
        (1008, "Permission denied: Consumer 'api_key:AIza' has been suspended.", "key_refused"),
        (1007, "Request contains an invalid argument: context", "upstream_invalid"),
        (1009, "message too big", "upstream_invalid"),
        (1013, "", "upstream_overload"),
        (1006, "", "upstream_unavailable"),
        (1000, "server reset", "upstream_unavailable"),
    ],
)
def test_closes_are_mapped_to_the_registry(close: int, reason: str, code: str) -> None:
    assert by_close(close, reason) == code
    assert code in REGISTRY


@pytest.mark.parametrize(
    ("status", "text", "code"),
    [
        (400, '{"error": {"message": "API key not valid.", "status": "INVALID_ARGUMENT"}}', "key_refused"),
        (
            400,
            '{"error": {"message": "User location is not supported for the API use."}}',
            "upstream_region",
        ),
        (400, "", "upstream_invalid"),
        (401, "", "upstream_auth"),
        (403, "", "upstream_auth"),
        (403, '{"error": {"message": "Your API key was reported as leaked."}}', "key_refused"),
        (
            403,
            '{"error": {"message": "Billing is disabled.", "status": "PERMISSION_DENIED"}}',
            "upstream_credits",
        ),
        (404, "", "upstream_model"),
        (429, "", "upstream_quota"),
        (
            429,
            '{"error": {"message": "Please try again later.", "status": "RESOURCE_EXHAUSTED"}}',
            "upstream_quota",
        ),
        (429, '{"error": {"message": "Your prepayment credits are depleted."}}', "upstream_credits"),
        (500, '{"error": {"message": "Your API key is fine, and we are not."}}', "upstream_unavailable"),
        (500, "", "upstream_unavailable"),
        (503, "", "upstream_overload"),
        (302, "", "upstream_unavailable"),
    ],
)
def test_http_refusals_are_mapped_to_the_registry(status: int, text: str, code: str) -> None:
    assert by_status(status, text) == code


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        ("The operation was aborted.", "The operation was aborted."),
        (
            "models/gemini-3.8-live is not found for API version v1beta",
            "models/gemini-3.8-live is not found for API version …",
        ),
        ("API key AIzaSyA-1234567890abcdef not valid", "API key …-… not valid"),
        ("auth_tokens/0123abcdef has expired", "auth_tokens/… has expired"),
        ("Blocked: 'my mother is called Rosalind'", "Blocked: …"),
        ('Blocked: "please call me after the meeting" by safety', "Blocked: … by safety"),
        ("Invalid value at 'please open the account", "Invalid value at …"),
        (
            "Unknown name 'tools' at 'setup.input_audio[0]'",
            "Unknown name 'tools' at 'setup.input_audio…'",
        ),
        ("Zugriff verweigert: Straße 7", "…: …"),
        ("call 030 123 456 now", "call …"),
        ("\x1b[31mred\n\n{}", "…"),
        ("quota " * 100, "quota " * 26 + "…"),
    ],
)
def test_a_log_gets_the_words_of_api_errors_and_no_others(reason: str, kept: str) -> None:
    assert scrub(reason) == kept
