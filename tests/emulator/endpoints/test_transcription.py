"""``/assets/{id}/transcription``."""

from __future__ import annotations

import httpx
from twelvelabs import TwelveLabs

from tests.support import media
from twelvelabs_emulator import Emulator


def upload(http: httpx.Client, content: bytes, name: str) -> str:
    made: str = http.post("assets", data={"method": "direct"}, files={"file": (name, content)}).json()["_id"]
    return made


def test_an_asset_has_none_by_default(http: httpx.Client, emulator: Emulator) -> None:
    speech = upload(http, media.wav(110, 10), "a.wav")
    assert http.get(f"assets/{speech}/transcription").status_code == 404
    emulator.configure(asset_transcript="Hello.")
    image = upload(http, media.png(), "a.png")
    for asset_id in (image, "6298d673f1090f1100476d4c"):
        answer = http.get(f"assets/{asset_id}/transcription")
        assert (answer.status_code, answer.json()["code"]) == (404, "resource_not_exist")


def test_words_sentences_and_utterances(emulator: Emulator, sdk: TwelveLabs, http: httpx.Client) -> None:
    emulator.configure(asset_transcript="One two. Three!", asset_failures=["", "no"])
    asset_id = upload(http, media.wav(110, 15), "a.wav")
    assert sdk.assets.retrieve_transcription(asset_id).status == "processing"
    found = sdk.assets.retrieve_transcription(asset_id)
    assert found.status == "ready" and found.sentences is None and found.words is not None
    assert [(word.value, word.start, word.end) for word in found.words] == [
        ("One", 0, 3),
        ("two.", 4, 8),
        ("Three!", 9, 15),
    ]
    all_three = sdk.assets.retrieve_transcription(asset_id, include=["sentences", "utterances"])
    assert all_three.words is None and all_three.sentences and all_three.utterances
    assert [entry.value for entry in all_three.sentences] == ["One two.", "Three!"]
    (turn,) = all_three.utterances
    assert (turn.value, turn.start, turn.end) == ("One two. Three!", 0, 15) and turn.speaker
    commas = http.get(f"assets/{asset_id}/transcription?include=words,sentences").json()
    assert set(commas) == {"status", "words", "sentences"}
    assert http.get(f"assets/{asset_id}/transcription?include=letters").status_code == 400
    failed = upload(http, media.wav(110, 15), "b.wav")
    statuses = [http.get(f"assets/{failed}/transcription").json() for _ in range(2)]
    assert statuses == [{"status": "processing"}, {"status": "failed", "error": {"message": "no"}}]
