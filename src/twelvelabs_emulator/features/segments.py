"""Audio and video over time: which spans are embedded, with which option and scope."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from ..protocol.models import Model
from ..protocol.settings import Settings
from .cancellation import check_cancelled
from .media.decoding import Audio, Video
from .requests import TOLERANCE_SEC, Span, TimeRequest
from .vectors import Embedding, Vector, embed_text, embed_words, fuse
from .words.audio import audio_words, loudness, pitch, speech_words
from .words.video import scene_cuts, video_words

_Embed = Callable[[float, float], Vector]


def embed_audio(audio: Audio, request: TimeRequest, span: Span, model: Model, settings: Settings) -> list[Embedding]:
    """Embed audio clip by clip. Slow: call it in a thread."""
    if request.strategy == "fixed":
        clips = fixed_clips(*span, request.clip_sec, settings.drop_last_clip_under_sec)
    else:
        clips = audio_clips(audio, *span, request.clip_sec)
    return _embeddings(_audio_options(audio, model), request, clips, span, model)


def embed_video(video: Video, request: TimeRequest, span: Span, model: Model, settings: Settings) -> list[Embedding]:
    """Embed video clip by clip. Slow: call it in a thread.

    Without audio there are no audio or transcription vectors, unless the settings embed silence.
    """
    cuts = scene_cuts(video.frames)

    def visual(start: float, end: float) -> Vector:
        shown = video.between(start, end)
        return embed_words(video_words(video.frames[shown], cuts[shown]), model)

    audio = video.audio
    if audio is None and settings.soundless_video == "embed":
        audio = Audio.silence(video.duration)
    if request.strategy == "fixed":
        clips = fixed_clips(*span, request.clip_sec, settings.drop_last_clip_under_sec)
    else:
        clips = shots(video.times, cuts, *span, request.clip_sec)
    options = {"visual": visual, **(_audio_options(audio, model) if audio is not None else {})}
    return _embeddings(options, request, clips, span, model)


def _audio_options(audio: Audio, model: Model) -> dict[str, _Embed]:
    return {
        "audio": lambda start, end: embed_words(audio_words(audio.between(start, end)), model),
        "transcription": lambda start, end: embed_words(speech_words(audio.between(start, end)), model),
    }


def _embeddings(
    embed: dict[str, _Embed], request: TimeRequest, clips: list[Span], whole: Span, model: Model
) -> list[Embedding]:
    found: list[Embedding] = []
    options = [option for option in request.options if option in embed]
    spans = [("clip", clip) for clip in clips] if "clip" in request.scopes else []
    spans += [("asset", whole)] if "asset" in request.scopes else []
    for scope, (start, end) in spans if options else []:
        check_cancelled()
        vectors = [embed[option](start, end) for option in options]
        if "separate_embedding" in request.types:
            for option, vector in zip(options, vectors, strict=True):
                found.append(Embedding(vector, option, scope, start, end))
        if "fused_embedding" in request.types:
            notes = [embed_text(note.text, model) for note in request.notes if note.overlaps(start, end)]
            found.append(Embedding(fuse([*vectors, *notes]), "fused", scope, start, end))
    return found


def fixed_clips(start: float, end: float, length: float, drop_under: float = 0.0) -> list[Span]:
    """Divide a span into clips of one length; the last may be shorter, and is dropped under ``drop_under``.

    A remainder of less than a tenth of a second is an encoder's padding and stays with the clip before it.
    """
    edges = [start]
    while edges[-1] + length < end - TOLERANCE_SEC:
        edges.append(edges[-1] + length)
    clips = list(pairwise([*edges, end]))
    if len(clips) > 1 and clips[-1][1] - clips[-1][0] < drop_under:
        clips.pop()
    return clips


def shots(times: Sequence[float], cuts: Sequence[bool], start: float, end: float, shortest: float) -> list[Span]:
    """Divide a span at the cuts of a video; no clip is shorter than ``shortest`` seconds."""
    edges = [start]
    for time, cut in zip(times, cuts, strict=True):
        if cut and edges[-1] + shortest <= time <= end - shortest:
            edges.append(time)
    return list(pairwise([*edges, end]))


def audio_clips(audio: Audio, start: float, end: float, shortest: float) -> list[Span]:
    """Divide a span where loudness or pitch changes suddenly; no clip is shorter than ``shortest`` seconds."""
    edges = [start]
    step = 0.5
    before: Span | None = None
    for number in range(int((end - start) / step)):
        check_cancelled()
        at = start + number * step
        samples = audio.between(at, at + step)
        level = loudness(samples)
        now = (level, pitch(samples) if level > -55 else math.nan)
        if before is not None and edges[-1] + shortest <= at <= end - shortest:
            louder, higher = abs(now[0] - before[0]), abs(now[1] - before[1])
            if louder > 12 or higher > 4:  # A comparison with NaN, the pitch of silence, is false.
                edges.append(at)
        before = now
    return list(pairwise([*edges, end]))
