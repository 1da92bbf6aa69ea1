"""Opening images, audio and video: decoded, and checked against the API's limits."""

from __future__ import annotations

from PIL import Image, ImageOps

from ...protocol.models import Model
from ...protocol.settings import Settings
from .checks import check_duration, check_resolution, check_size, refused
from .decoding import Audio, DecodingError, Video, decode_audio, decode_frames, is_still, open_container, seconds_of
from .pillow import PILLOW_ERRORS, without_warnings
from .source import Source

_AUDIO_FORMATS = {"wav": "WAV", "mp3": "MP3", "flac": "FLAC"}


def open_image(source: Source, model: Model, settings: Settings) -> Image.Image:
    """Decode an image. Raises the API's 400 or 413."""
    check_size(source, model.image_megabytes, model, settings)
    try:
        with without_warnings(), source.open() as stream:
            image: Image.Image = Image.open(stream)
            if image.format not in settings.image_formats:
                raise refused(source, f"The image format must be one of: {', '.join(settings.image_formats)}.")
            image.load()
            if settings.exif_orientation == "apply":
                image = _upright(image)
    except PILLOW_ERRORS:
        raise refused(source, "The image could not be read.") from None
    if min(image.size) < model.image_side:
        side = model.image_side
        raise refused(source, f"The image must be at least {side}x{side} pixels; it has {image.width}x{image.height}.")
    return image


def _upright(image: Image.Image) -> Image.Image:
    """Turn and mirror an image as its EXIF data say. Data that cannot be read say nothing, as in browsers."""
    try:
        return ImageOps.exif_transpose(image)
    except PILLOW_ERRORS:
        return image


def open_audio(source: Source, model: Model, settings: Settings) -> Audio:
    """Decode an audio file. Raises the API's 400 or 413."""
    # marengo3.5 limits every source of a synchronous request, 3.0 only what is sent inside it.
    if source.given_as == "base64_string" or model.limits_every_source:
        check_size(source, model.media_megabytes, model, settings)
    if not source.size:
        raise refused(source, "The file is empty.")
    try:
        with open_container(source) as container:
            if container.format.name not in _AUDIO_FORMATS or not container.streams.audio:
                raise refused(source, f"The audio format must be one of: {', '.join(_AUDIO_FORMATS.values())}.")
            stated = seconds_of(container)
            if stated is not None:
                check_duration(source, stated, model, settings, "audio")
            audio = decode_audio(container)
    except DecodingError:
        raise refused(source, "The audio could not be read.") from None
    if not len(audio.samples):
        raise refused(source, "The audio has no content.")
    check_duration(source, audio.duration, model, settings, "audio")
    return audio


def open_video(source: Source, model: Model, settings: Settings) -> Video:
    """Decode a video. Raises the API's 400 or 413."""
    if source.given_as == "base64_string" or model.limits_every_source:
        check_size(source, model.media_megabytes, model, settings, code="video_filesize_too_large")
    broken = refused(source, "The video could not be read.", code="video_file_broken")
    audio = None
    try:
        with open_container(source) as container:
            if is_still(container) or not container.streams.video:
                raise broken
            stated = seconds_of(container)
            if stated is not None:
                check_duration(source, stated, model, settings, "video")
            codec = container.streams.video[0].codec_context
            check_resolution(source, codec.width, codec.height)
            times, frames, end = decode_frames(container)
        with open_container(source) as container:  # From the start again, for the other track.
            if container.streams.audio:
                audio = decode_audio(container)
    except DecodingError:
        raise broken from None
    if not frames:
        raise broken
    duration = max(end, stated or 0.0)
    check_duration(source, duration, model, settings, "video")
    return Video(duration, times, frames, audio if audio is not None and len(audio.samples) else None)
