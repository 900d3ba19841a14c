"""What Google's refusals and closes mean, and how much of their words a log may hold. Pure.

Sources: docs/sources.md#gemini-closes. What is passing is looked for first: "context deadline exceeded" is no
full context, and an aborted operation no refused content, whatever close code comes with it.
"""

from __future__ import annotations

import re

_REASONS = tuple(
    (re.compile(pattern), code)
    for pattern, code in (  # of a reason in lower case, in the order in which they are looked for
        (r"aborted|deadline e|cancell?ed|internal error|timed out", "upstream_unavailable"),
        (
            r"location is not supported|(country|region|territory)(, [\w ,]+)? is not (supported|available)"
            r"|not available in your (country|region|location)",
            "upstream_region",
        ),
        (
            r"credits? (are |is |has |have )?(been )?(depleted|exhausted|used up|expired)|prepayment|prepaid"
            r"|billing[ _](is |has been |account )?(disabled|not enabled|not found)|(enable|requires) billing"
            r"|insufficient (credit|funds|balance)",
            "upstream_credits",
        ),
        (
            r"resource[ _](has been )?exhausted|quota|billing|credits|rate limit"
            r"|too many (concurrent|requests)",
            "upstream_quota",
        ),
        (
            r"models?[/ ][\w.-]*[\w/-] (is|was) not (found|available)|model (does not exist|not found)"
            r"|not supported for bidigeneratecontent|unknown model"
            r"|model (is|was) (deprecated|shut ?down|retired)",
            "upstream_model",
        ),
        (r"token (has|is)|unregistered callers", "upstream_auth"),  # of the token: another one is made
        (
            r"api[ _]key|permission[ _]denied|leaked|suspended|referer|requests to this api"
            r"|has not been used in project|organization polic",
            "key_refused",
        ),
        (r"unauthenticated|credential", "upstream_auth"),
        (
            r"prohibited[ _]content|(blocked|stopped|rejected|refused|flagged)\b.*(safety|harm|polic)"
            r"|violates\b.*polic",
            "upstream_policy",
        ),
        (r"overloaded|unavailable|try again later|high demand", "upstream_overload"),
        (r"not implemented|not supported|unsupported", "upstream_invalid"),
        (
            r"input token count|context (window|length)|maximum number of tokens|too many tokens"
            r"|context (is |was |has been )?(full|exceeded|too long|exhausted)",
            "upstream_context_full",
        ),
        (r"not found|invalid|unknown name", "upstream_invalid"),
    )
)
#: where the words say nothing; 1008 comes with aborted operations as with wrong models: no word on content
_CLOSES = {1007: "upstream_invalid", 1009: "upstream_invalid", 1013: "upstream_overload"}
_STATUSES = {
    400: "upstream_invalid",
    401: "upstream_auth",
    403: "upstream_auth",
    404: "upstream_model",
    429: "upstream_quota",
    503: "upstream_overload",
}
#: the model is unknown, overloaded or without quota: another one may be had
FALLS_BACK = frozenset({"upstream_invalid", "upstream_model", "upstream_overload", "upstream_quota"})
#: no try within seconds helps: who has not talked yet is told at once
LASTING = frozenset(
    {"key_refused", "upstream_quota", "upstream_credits", "upstream_model", "upstream_region"}
)
#: what a status that says enough by itself may still be by its words
_TELLING = LASTING - {"upstream_quota"}
REASON_CHARS = 160  #: of a reason that a log may hold

#: Words that may stand in a log: those of API errors. All others might be a user's, or part of a secret.
_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
        a aborted access account active activity after again all allowed already an and another any api are
        argument at audio auth authenticated authentication be been before billing blocked by call caller
        callers cannot check client close closed code complete compression config configuration connection
        content context could count country credential credentials credits current currently data deadline
        denied disabled does doesn during empty enable enabled encountered end ended entity error exceed
        exceeded exceeds exhausted expired failed field for format found frame free from function gemini
        generation get go google handle handler has have high id identity idle image implemented in inactive
        incompatible input internal invalid is it key later leaked length limit limits live location long
        lost malformed many max maximum message method missing modalities modality mode model models more
        must name no not number of on only open operation or order out output over overloaded parameter
        parse part parts per permission place plan please policy precondition prepayment problem prohibited
        project publisher quota rate reached received region reported request requested required reset
        resource response resume resumption retry safety see server service session sessions set setup size
        socket speech state stream support supported system t temporarily than the this time timeout to
        token tokens too tool try turn turns type unable unauthenticated unavailable unexpected unknown
        unregistered unsupported until up use used user using valid value version violates violation was
        websocket were when while window with without you your
        activities activity automatic declarations detection function functions instruction level parameters
        realtime settings sliding target thinking tools transcription trigger voice
        """,
    )
)
#: closed or not: what stands in quotes may be somebody's words, unless it is the name or path of a field
_QUOTED = re.compile(r"""(?<!\w)(['"`])(.*?)(?:\1(?!\w)|$)""", re.DOTALL)
_FIELD = re.compile(r"[\w.\[\]]+")
_PIECES = re.compile(r"models/gemini[\w.-]{1,50}|gemini-[\w.-]{1,50}|\w+|[^\w\s]|\s+")
_MODEL = re.compile(r"(?:models/)?gemini[a-z0-9.-]*$")


def by_close(close_code: int, reason: str) -> str:
    """The registry's code for a close of Google's."""
    return _by_words(reason) or _CLOSES.get(close_code, "upstream_unavailable")


def by_status(status: int, text: str) -> str:
    """The registry's code for an HTTP refusal with this status and body."""
    words = _by_words(text)
    if status == 400:  # a wrong key and a wrong field come with the same status
        return words or "upstream_invalid"
    if words in _TELLING and 400 < status < 500:
        return words
    return _STATUSES.get(status, "upstream_unavailable")


def scrub(reason: str) -> str:
    """What a log may hold of Google's words: those of API errors and names of models, `…` for each other."""
    unquoted = _QUOTED.sub(lambda quoted: _field(quoted[2]), reason[:REASON_CHARS])
    kept = "".join(_kept(piece) for piece in _PIECES.findall(unquoted))
    return re.sub(r"…(?:\s*…)+", "…", kept)


def _by_words(text: str) -> str | None:
    words = text.lower()
    return next((code for pattern, code in _REASONS if pattern.search(words)), None)


def _field(quoted: str) -> str:
    return f"'{quoted}'" if _FIELD.fullmatch(quoted) else "…"


def _kept(piece: str) -> str:
    if piece[0].isalnum():  # numbers go too: they might be somebody's
        is_known = _WORDS.issuperset(piece.lower().split("_")) or _MODEL.match(piece)
        return piece if is_known else "…"
    return piece if piece[0] in " .,:;()'/-_" else "…" if not piece.isspace() else " "
