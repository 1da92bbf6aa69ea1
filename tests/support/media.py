"""Small media made on the spot, so that no test carries files or asks the network for one.

Every function returns the bytes of a whole file. What is in them is chosen so that a machine that only
measures (colour, stripes, pitch, loudness, motion) and a machine that understands agree about it.
"""

from __future__ import annotations

import base64
import functools
import io
import struct
import wave
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
from PIL import Image, ImageDraw

Color = str | tuple[int, int, int]
SAMPLE_RATE = 44_100


def b64(content: bytes) -> str:
    """Bytes as the API's ``base64_string``."""
    return base64.b64encode(content).decode()


# --- images ---------------------------------------------------------------------------------------------


def image(
    color: Color = "red",
    size: tuple[int, int] = (256, 256),
    *,
    pattern: str = "plain",
    second: Color = "white",
    text: str | None = None,
) -> Image.Image:
    """Draw one colour, or two as "horizontal" / "vertical" stripes, "checked" or "split" (left/right).

    ``text`` is written in black across the middle.
    """
    image = Image.new("RGB", size, color)
    draw = ImageDraw.Draw(image)
    width, height = size
    step = max(8, min(size) // 8)
    if pattern == "horizontal":
        for y in range(0, height, 2 * step):
            draw.rectangle((0, y, width, y + step - 1), fill=second)
    elif pattern == "vertical":
        for x in range(0, width, 2 * step):
            draw.rectangle((x, 0, x + step - 1, height), fill=second)
    elif pattern == "checked":
        for row, y in enumerate(range(0, height, step)):
            for x in range((row % 2) * step, width, 2 * step):
                draw.rectangle((x, y, x + step - 1, y + step - 1), fill=second)
    elif pattern == "split":
        draw.rectangle((width // 2, 0, width, height), fill=second)
    elif pattern != "plain":
        raise ValueError(f"unknown pattern {pattern!r}")
    if text is not None:
        draw.text((width // 8, height // 2), text, fill="black")
    return image


def _saved(image: Image.Image, format_name: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_name, **options)
    return buffer.getvalue()


def png(color: Color = "red", size: tuple[int, int] = (256, 256), **drawing: Any) -> bytes:
    """A PNG; ``drawing`` as for `image`."""
    return _saved(image(color, size, **drawing), "PNG")


def jpeg(color: Color = "red", size: tuple[int, int] = (256, 256), quality: int = 95, **drawing: Any) -> bytes:
    """A JPEG; ``drawing`` as for `image`."""
    return _saved(image(color, size, **drawing), "JPEG", quality=quality)


def webp(color: Color = "red", size: tuple[int, int] = (256, 256), **drawing: Any) -> bytes:
    """A WebP, which the API does not take."""
    return _saved(image(color, size, **drawing), "WEBP", lossless=True)


def gif(color: Color = "red", size: tuple[int, int] = (256, 256), **drawing: Any) -> bytes:
    """A GIF, which the API does not take."""
    return _saved(image(color, size, **drawing), "GIF")


def noisy_png(size: tuple[int, int] = (256, 256), seed: int = 0) -> bytes:
    """A PNG of random pixels: about 3 bytes a pixel, so the size of the file can be chosen."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return _saved(Image.fromarray(pixels), "PNG", compress_level=1)


# --- audio ------------------------------------------------------------------------------------------------


def tone(hz: float, seconds: float, volume: float = 0.5) -> np.ndarray:
    """Mono 16-bit samples of a sine; ``hz`` 0 is silence. Volume is the peak, 0..1 of full scale."""
    at = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    samples: np.ndarray = (np.sin(2 * np.pi * hz * at) * volume * 32767).astype(np.int16)
    return samples


def hiss(seconds: float, volume: float = 0.5, seed: int = 0) -> np.ndarray:
    """Mono 16-bit samples of white noise."""
    samples = np.random.default_rng(seed).uniform(-1, 1, round(seconds * SAMPLE_RATE))
    noise: np.ndarray = (samples * volume * 32767).astype(np.int16)
    return noise


def wav_of(samples: np.ndarray, rate: int = SAMPLE_RATE) -> bytes:
    """A WAV file of mono 16-bit samples."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return buffer.getvalue()


def _encoded(samples: np.ndarray, container_format: str, codec: str, rate: int = SAMPLE_RATE) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container_format) as container:
        stream: Any = container.add_stream(codec, rate=rate)
        stream.layout = "mono"
        _encode_audio(container, stream, samples, rate)
    return buffer.getvalue()


def _encode_audio(container: Any, stream: Any, samples: np.ndarray, rate: int = SAMPLE_RATE) -> None:
    # The resampler turns one long frame into frames of the length and sample format the encoder wants.
    resampler = av.AudioResampler(
        format=stream.format.name,
        layout="mono",
        rate=rate,
        frame_size=stream.codec_context.frame_size or 1024,
    )
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = SAMPLE_RATE
    frame.pts = 0
    for piece in [*resampler.resample(frame), *resampler.resample(None)]:
        container.mux(stream.encode(piece))
    container.mux(stream.encode(None))


@functools.cache
def wav(hz: float = 440, seconds: float = 2, volume: float = 0.5) -> bytes:
    """A WAV of a sine tone."""
    return wav_of(tone(hz, seconds, volume))


@functools.cache
def mp3(hz: float = 440, seconds: float = 2, volume: float = 0.5) -> bytes:
    """An MP3 of a sine tone."""
    return _encoded(tone(hz, seconds, volume), "mp3", "mp3")


@functools.cache
def flac(hz: float = 440, seconds: float = 2, volume: float = 0.5) -> bytes:
    """A FLAC of a sine tone."""
    return _encoded(tone(hz, seconds, volume), "flac", "flac")


@functools.cache
def ogg(hz: float = 440, seconds: float = 2, volume: float = 0.5) -> bytes:
    """An Ogg/Opus file, which the API does not take as audio."""
    return _encoded(tone(hz, seconds, volume), "ogg", "libopus", rate=48_000)


# --- videos ------------------------------------------------------------------------------------------------

#: colour, seconds, hertz of the tone played meanwhile (0 = silence)
Scene = tuple[Color, float, float]


def mp4(
    scenes: Sequence[Scene] = (("red", 2, 220),),
    size: tuple[int, int] = (480, 360),
    fps: int = 8,
    *,
    audio: bool = True,
    moving: bool = False,
) -> bytes:
    """An MP4 (MPEG-4 video, AAC audio) of plain scenes after one another.

    ``moving`` lets a white bar run across the image; ``audio=False`` leaves the audio track out.
    """
    return _mp4(tuple(scenes), size, fps, audio, moving)


@functools.cache
def _mp4(scenes: tuple[Scene, ...], size: tuple[int, int], fps: int, audio: bool, moving: bool) -> bytes:
    from_image: Any = av.VideoFrame.from_image  # has no types in some releases
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        video: Any = container.add_stream("mpeg4", rate=fps)
        video.width, video.height = size
        video.pix_fmt = "yuv420p"
        video.bit_rate = 1_000_000
        video.codec_context.time_base = Fraction(1, fps)
        track: Any = None
        if audio:
            track = container.add_stream("aac", rate=SAMPLE_RATE)
            track.layout = "mono"
        number = 0
        for color, seconds, _ in scenes:
            still = image(color, size)
            # Converted once, not for every frame: videos of minutes are made here.
            same = None if moving else from_image(still).reformat(format="yuv420p").to_ndarray()
            for _ in range(round(seconds * fps)):
                if same is not None:
                    frame = av.VideoFrame.from_ndarray(same, format="yuv420p")
                else:
                    drawn = still.copy()
                    left = (number * size[0] // 8) % size[0]
                    ImageDraw.Draw(drawn).rectangle((left, 0, left + size[0] // 6, size[1]), fill="white")
                    frame = from_image(drawn)
                frame.pts = number
                frame.time_base = Fraction(1, fps)
                number += 1
                container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if track is not None:
            _encode_audio(container, track, np.concatenate([tone(hz, seconds) for _, seconds, hz in scenes]))
    return buffer.getvalue()


# Display matrices (ISO 14496-12): how a phone says that its sensor was turned.
CLOCKWISE = (0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
COUNTERCLOCKWISE = (0, -1 << 16, 0, 1 << 16, 0, 0, 0, 0, 1 << 30)
UPSIDE_DOWN = (-1 << 16, 0, 0, 0, -1 << 16, 0, 0, 0, 1 << 30)


def turned(video: bytes, matrix: Sequence[int] = CLOCKWISE) -> bytes:
    """An MP4 whose first track is to be shown turned. (PyAV writes no display matrix in most releases.)"""
    at = video.index(b"tkhd") + 4 + 40
    return video[:at] + struct.pack(">9i", *matrix) + video[at + 36 :]


@functools.cache
def stream(
    container_format: str, codec: str, seconds: int = 8, *, gop: int = 25, aspect: Fraction | None = None
) -> bytes:
    """A video without audio, 25 frames a second, that gets brighter by a level a frame; a key frame every ``gop``."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container_format) as container:
        video: Any = container.add_stream(codec, rate=25)
        video.width, video.height, video.pix_fmt, video.gop_size = 160, 120, "yuv420p", gop
        if aspect is not None:
            video.codec_context.sample_aspect_ratio = aspect
        for number in range(seconds * 25):
            frame = av.VideoFrame.from_ndarray(np.full((120, 160, 3), number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return buffer.getvalue()


# --- documents --------------------------------------------------------------------------------------------


def pdf(pages: int | Sequence[str] = 1, *, padding: int = 0) -> bytes:
    """A PDF of so many pages, or with these lines of text, one a page.

    ``padding`` adds so many bytes of comment, since the API's allowance of pages grows with the file.
    """
    lines = [f"page {number + 1}" for number in range(pages)] if isinstance(pages, int) else list(pages)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count %d /Kids [%s] >>"
        % (len(lines), b" ".join(b"%d 0 R" % (4 + 2 * number) for number in range(len(lines)))),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, line in enumerate(lines):
        shown = line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)").encode("latin-1")
        content = b"BT /F1 18 Tf 72 720 Td (" + shown + b") Tj ET"
        objects += [
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] "
            b"/Resources << /Font << /F1 3 0 R >> >> /Contents %d 0 R >>" % (5 + 2 * number),
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        ]
    out = io.BytesIO()
    out.write(b"%PDF-1.4\n")
    if padding:
        out.write(b"%" + b"x" * padding + b"\n")
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, content))
    xref = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    for offset in offsets:
        out.write(b"%010d 00000 n \n" % offset)
    out.write(b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, xref))
    return out.getvalue()
