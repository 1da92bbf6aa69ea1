"""What is sent: an image, audio and video of a few seconds, made on the spot."""

from __future__ import annotations

import io
import wave

import av
import numpy as np
from PIL import Image, ImageDraw

from ..features.media.pillow import EXIF_ORIENTATION

_RATE = 16_000


def split_image(*, turned: bool = False, orientation: int | None = None) -> bytes:
    """Return a JPEG whose left half is red and right half blue; ``turned`` by 90 degrees, clockwise."""
    image = Image.new("RGB", (256, 256), "red")
    ImageDraw.Draw(image).rectangle((128, 0, 255, 255), fill="blue")
    if turned:
        image = image.rotate(270)
    exif = Image.Exif()
    if orientation is not None:
        exif[EXIF_ORIENTATION] = orientation
    file = io.BytesIO()
    image.save(file, "JPEG", quality=95, exif=exif)
    return file.getvalue()


def tone(seconds: int) -> bytes:
    """Return a WAV whose pitch rises every second."""
    times = np.arange(seconds * _RATE) / _RATE
    samples = 0.4 * np.sin(2 * np.pi * (220 + 40 * np.floor(times)) * times)
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(_RATE)
        written.writeframes((samples * 32767).astype("<i2").tobytes())
    return file.getvalue()


def soundless_video(seconds: int) -> bytes:
    """Return an MP4 of 360 x 360 pixels without audio, half red and half blue."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=8)
        stream.width = stream.height = 360
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        for number in range(8 * seconds):
            color = (200, 20, 20) if number < 4 * seconds else (20, 20, 200)
            pixels = np.full((360, 360, 3), color, dtype=np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return file.getvalue()
