"""The audio of a moment as WAV."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator
from typing import Any

from .._errors import InvalidInputError
from .._store.rows import clock
from .container import OpenedMedia, import_av, opened
from .moment import MomentSource, ranged
from .times import checked_count, range_within, samples_before, silence_before

_SAMPLE_BYTES = 2
LARGEST_WAV = (1 << 32) - 100
"""Bytes of samples: a WAV file counts them with 32 bits."""
# Decoders of compressed audio need some frames before the first good one.
_PREROLL_SEC = 0.2


def audio_wav(
    media: MomentSource,
    start_sec: float | None = None,
    end_sec: float | None = None,
    *,
    rate: int | None = 16_000,
    mono: bool = True,
) -> bytes:
    """The audio of a moment as a WAV file of 16 bits, for a language model or a transcription.

    .. code-block:: python

        audio_wav("beach.mp4", 72, 78)      # 192 kB

    It is in memory: 2 MB a minute with the defaults. Needs PyAV (``twelvelabs-embeddings[media]``). Blocks: in a
    coroutine call it by ``asyncio.to_thread``.

    Args:
        media: as for :func:`frames`; video or audio.
        start_sec, end_sec: as for :func:`frames`; exact to a sample. Where the track begins later, silence stands
            before it; where it ends earlier, so does the result.
        rate: samples a second; None = as in the file.
        mono: one channel; False = one or two, as in the file (more are mixed to two).

    Raises:
        InvalidInputError: as for :func:`frames`; or the file has no audio, or none in the range.
    """
    if rate is not None:
        checked_count(rate, "rate", least=1000)
    source, start, end = ranged(media, start_sec, end_sec)
    if source.kind in ("image", "document"):
        raise InvalidInputError(f"{source!r} has no audio.")
    with opened(source) as file:
        found = wav_of(file, start, end, rate=rate, mono=mono)
    if found is None:
        raise InvalidInputError("has no audio in this range.", item=file.label)
    return found


def wav_of(file: OpenedMedia, start: float | None, end: float | None, *, rate: int | None, mono: bool) -> bytes | None:
    """:func:`audio_wav` of an open file; None if it has no audio there."""
    if file.audio is None:
        return None
    begin, stop = range_within(start, end, file.duration_sec, file.label, least=0.001)
    per_second = rate or file.audio.codec_context.sample_rate
    channels = 1 if mono or file.audio.codec_context.channels == 1 else 2
    wanted = round((stop - begin) * per_second) * channels * _SAMPLE_BYTES
    if wanted > LARGEST_WAV:
        raise InvalidInputError(f"a WAV file does not hold {clock(stop - begin)}; give an end_sec=.", item=file.label)
    samples = bytearray()
    for part in _decoded(file, begin, stop, per_second, channels):
        samples += part
        if len(samples) >= wanted:
            break
    del samples[wanted:]
    return _wav(bytes(samples), per_second, channels) if samples else None


def _decoded(file: OpenedMedia, begin: float, stop: float, rate: int, channels: int) -> Iterator[bytes]:
    """Samples from ``begin`` on, interleaved, in parts; more than up to ``stop``."""
    resampler = import_av().AudioResampler(format="s16", layout="mono" if channels == 1 else "stereo", rate=rate)
    file.seek(max(0.0, begin - _PREROLL_SEC), file.audio)
    left_out: int | None = None  # bytes
    for frame in file.container.decode(file.audio):
        if left_out is None:
            first = begin if frame.pts is None else file.second_of(frame.pts, file.audio)
            if first >= stop:
                return
            left_out = samples_before(begin, first, rate) * channels * _SAMPLE_BYTES
            yield bytes(silence_before(begin, first, rate) * channels * _SAMPLE_BYTES)
        for part in resampler.resample(frame):
            content = _content(part, channels)
            yield content[left_out:]
            left_out = max(0, left_out - len(content))
    if left_out is not None:
        for part in resampler.resample(None):
            yield _content(part, channels)[left_out:]


def _content(frame: Any, channels: int) -> bytes:
    return bytes(frame.planes[0])[: frame.samples * channels * _SAMPLE_BYTES]  # planes are padded


def _wav(samples: bytes, rate: int, channels: int) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(_SAMPLE_BYTES)
        file.setframerate(rate)
        file.writeframes(samples)
    return out.getvalue()
