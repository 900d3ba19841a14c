"""Fields that client messages may have, and the two spellings of each.

Google's front end reads protobuf JSON: lowerCamel and snake_case are the same
field, an unknown field is an error. The Python SDK mixes both in one message.
"""

import re
from functools import lru_cache
from typing import Any

from simulator.wire.refusal import invalid, unknown_name

#: A field whose inside is not looked into: scalars, and free-form objects such as a tool's arguments.
ANY = None

_FUNCTION_CALL = {"id": ANY, "name": ANY, "args": ANY}
_FUNCTION_RESPONSE = {
    "id": ANY, "name": ANY, "response": ANY, "scheduling": ANY, "willContinue": ANY, "parts": ANY,
}  # fmt: skip
BLOB = {"data": ANY, "mimeType": ANY, "displayName": ANY}
_PART = {
    "text": ANY, "inlineData": BLOB, "fileData": ANY, "thought": ANY, "thoughtSignature": ANY,
    "functionCall": _FUNCTION_CALL, "functionResponse": _FUNCTION_RESPONSE, "videoMetadata": ANY,
    "mediaResolution": ANY, "executableCode": ANY, "codeExecutionResult": ANY, "partMetadata": ANY,
}  # fmt: skip
CONTENT = {"role": ANY, "parts": [_PART]}
_DECLARATION = {
    "name": ANY, "description": ANY, "parameters": ANY, "parametersJsonSchema": ANY,
    "behavior": ANY, "response": ANY, "responseJsonSchema": ANY,
}  # fmt: skip
TOOL = {
    "functionDeclarations": [_DECLARATION], "googleSearch": ANY, "googleSearchRetrieval": ANY,
    "codeExecution": ANY, "urlContext": ANY, "googleMaps": ANY, "computerUse": ANY,
    "fileSearch": ANY, "mcpServers": ANY, "enterpriseWebSearch": ANY, "retrieval": ANY,
}  # fmt: skip
_SPEECH = {
    "voiceConfig": {
        "prebuiltVoiceConfig": {"voiceName": ANY},
        "replicatedVoiceConfig": ANY,
        "voice": ANY,
    },
    "languageCode": ANY,
    "multiSpeakerVoiceConfig": ANY,
}
_TRANSCRIPTION = {
    "languageCodes": ANY, "languageHints": ANY, "languageAuto": ANY, "customVocabulary": ANY,
    "adaptationPhrases": ANY, "wordTimestamp": ANY, "diarization": ANY, "mode": ANY, "sourceText": ANY,
}  # fmt: skip
_GENERATION = {
    "responseModalities": ANY, "temperature": ANY, "topP": ANY, "topK": ANY, "maxOutputTokens": ANY,
    "seed": ANY, "mediaResolution": ANY, "candidateCount": ANY, "presencePenalty": ANY,
    "frequencyPenalty": ANY, "stopSequences": ANY, "speechConfig": _SPEECH,
    "thinkingConfig": {"includeThoughts": ANY, "thinkingBudget": ANY, "thinkingLevel": ANY},
    "enableAffectiveDialog": ANY,
    "translationConfig": {"targetLanguageCode": ANY, "echoTargetLanguage": ANY},
}  # fmt: skip
SETUP: dict[str, Any] = {
    "model": ANY,
    "generationConfig": _GENERATION,
    "systemInstruction": CONTENT,
    "tools": [TOOL],
    "realtimeInputConfig": {
        "automaticActivityDetection": {
            "disabled": ANY, "startOfSpeechSensitivity": ANY, "endOfSpeechSensitivity": ANY,
            "prefixPaddingMs": ANY, "silenceDurationMs": ANY,
        },
        "activityHandling": ANY,
        "turnCoverage": ANY,
        "interimTranscriptTimestampEnabled": ANY,
    },
    "sessionResumption": {"handle": ANY, "transparent": ANY},
    "contextWindowCompression": {"triggerTokens": ANY, "slidingWindow": {"targetTokens": ANY}},
    "inputAudioTranscription": _TRANSCRIPTION,
    "outputAudioTranscription": _TRANSCRIPTION,
    "proactivity": {"proactiveAudio": ANY, "proactiveVideo": ANY},
    "historyConfig": {"initialHistoryInClientContent": ANY},
    "avatarConfig": ANY,
    "safetySettings": ANY,
    "labels": ANY,
}  # fmt: skip
MESSAGE: dict[str, Any] = {
    "setup": SETUP,
    "clientContent": {"turns": [CONTENT], "turnComplete": ANY},
    "realtimeInput": {
        "audio": BLOB, "video": BLOB, "text": ANY, "activityStart": ANY, "activityEnd": ANY,
        "audioStreamEnd": ANY, "mediaChunks": [BLOB],
    },
    "toolResponse": {"functionResponses": [_FUNCTION_RESPONSE]},
    "contextUpdate": {"systemInstruction": CONTENT, "tools": {"tools": [TOOL]}},
}  # fmt: skip
AUTH_TOKEN: dict[str, Any] = {
    "expireTime": ANY, "newSessionExpireTime": ANY, "uses": ANY, "fieldMask": ANY,
    "bidiGenerateContentSetup": SETUP,
}  # fmt: skip


@lru_cache(maxsize=4096)
def camel(name: str) -> str:
    """lowerCamel of a proto field name in either spelling."""
    head, *rest = name.split("_")
    return head + "".join(word[:1].upper() + word[1:] for word in rest)


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])[A-Z]", lambda match: "_" + match[0].lower(), name)


def conform(value: Any, shape: Any, where: str = "") -> Any:
    """`value` with camelCase names throughout. Raises Refusal for a field that `shape` does not have.

    `where` is the path that the error text names, in proto spelling as Google gives it.
    A null stands for an absent field.
    """
    if shape is ANY or value is None:
        return value
    if isinstance(shape, list):
        if not isinstance(value, list) or None in value:
            raise invalid(f"Invalid value at '{where}'")
        return [conform(item, shape[0], f"{where}[{index}]") for index, item in enumerate(value)]
    if not isinstance(value, dict):
        raise invalid(f"Invalid value at '{where}'")
    out = {}
    for given, inner in value.items():
        name = camel(given)
        if name not in shape:
            raise unknown_name(given, where)
        if inner is not None:
            out[name] = conform(inner, shape[name], f"{where}.{snake(name)}" if where else snake(name))
    return out


#: The subset of OpenAPI's schema that `parameters` takes; `properties` maps names to schemas.
_SCHEMA = {
    "type", "format", "title", "description", "nullable", "default", "enum", "example", "items", "maxItems",
    "minItems", "properties", "required", "minProperties", "maxProperties", "minLength", "maxLength",
    "pattern", "minimum", "maximum", "anyOf", "propertyOrdering",
}  # fmt: skip


def conform_schema(schema: Any, where: str) -> None:
    """Raises Refusal for a field that the subset does not have, wherever in the schema it stands."""
    if not isinstance(schema, dict):
        raise invalid(f"Invalid value at '{where}'")
    for given, inner in schema.items():
        name = camel(given)
        if name not in _SCHEMA:
            raise unknown_name(given, where)
        if name == "items":
            conform_schema(inner, f"{where}.items")
        elif name == "properties" and isinstance(inner, dict):
            for key, each in inner.items():
                conform_schema(each, f"{where}.properties[{key}].value")
        elif name == "anyOf" and isinstance(inner, list):
            for number, each in enumerate(inner):
                conform_schema(each, f"{where}.any_of[{number}]")
