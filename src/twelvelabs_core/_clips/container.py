"""A media file opened for decoding, wherever it is. Its content decides nothing but its own decoding.

FFmpeg's playlists and lists of files (HLS, DASH, concat) name other files and addresses, which it would open: a file
from a stranger could have this machine read them. So only formats that hold their media themselves are opened, from a
file object, and FFmpeg opens nothing by name.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from .._errors import InvalidInputError, TwelveLabsError
from .._inputs import Media
from .._media.file import MediaFile, locate
from .._net.forks import uncut
from .remote import open_url
from .times import seek_targets

# FFmpeg's names of formats. Left out are those that refer to other files, and those that are a device or a number of
# images.
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,asf,flv,ogg,wav,w64,mp3,flac,aac,aiff,au,caf,amr,"
    "ac3,eac3,dts,ape,wv,tta,gxf,mxf,rm,nut,ivf,h264,hevc,m4v,obu,dv,swf,wtv,gif,y4m,yuv4mpegpipe"
)
LARGEST_FRAME = 150_000_000
"""Pixels: more than 16K has. A damaged header may name any number, and the decoder would ask for the memory."""
_OPTIONS = {"format_whitelist": _FORMATS, "protocol_whitelist": "none"}


@dataclass(eq=False)
class OpenedMedia:
    """A file under decoding.

    Attributes:
        container: PyAV's.
        label: the file, for messages.
        duration_sec: its length; None = unknown.
        offset_sec: when its time begins: a recorded broadcast does not begin at 0. Seconds of moments count from here.
        video, audio: PyAV's streams; None = it has none. The cover of an album is no video.
    """

    container: Any
    label: str
    duration_sec: float | None
    offset_sec: float
    video: Any
    audio: Any

    def seek(self, second: float, stream: Any) -> None:
        """Go to the last place at or before a second from which a stream can be decoded."""
        self.container.seek(max(0, int((second + self.offset_sec) / float(stream.time_base))), stream=stream)

    def seek_key_frame(self, second: float) -> None:
        """Go to the last key frame of the video at or before a second; to its first if all are later."""
        for target in seek_targets(second):
            self.seek(target, self.video)
            packets = self.container.demux(self.video)
            key = next((packet for packet in packets if packet.is_keyframe and packet.pts is not None), None)
            if key is not None and self.second_of(key.pts, self.video) <= second:
                break
        self.seek(target, self.video)

    def second_of(self, timestamp: int, stream: Any) -> float:
        """The second of a timestamp, counted from the beginning of the file."""
        return timestamp * float(stream.time_base) - self.offset_sec


def import_av() -> Any:
    """PyAV.

    Raises:
        InvalidInputError: it is not installed.
    """
    try:
        with uncut():
            import av
            import av.sidedata.sidedata  # not imported by the package itself in every release
    except ImportError as error:
        raise needs_media_extra("PyAV") from error
    return av


def needs_media_extra(package: str) -> InvalidInputError:
    """The error where a package of the extra is missing."""
    return InvalidInputError(
        f"Frames, audio and clips of moments need {package}: pip install 'twelvelabs-embeddings[media]'."
    )


@contextlib.contextmanager
def reading(
    label: str, failed: str, hint: str = "It is damaged, incomplete, or no format known here"
) -> Iterator[None]:
    """Turn what PyAV or Pillow raises into an error that names the file.

    Args:
        failed: what could not be done: ``cannot be read as video``.
        hint: why that may be, or what to do about it.
    """
    try:
        yield
    except (TwelveLabsError, GeneratorExit):
        raise
    except Exception as error:  # of PyAV, by format and codec; and of Pillow
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise InvalidInputError(f"{failed}: {str(reason).rstrip('. ')}. {hint}.", item=label) from error


@contextlib.contextmanager
def opened(media: Media) -> Iterator[OpenedMedia]:
    """Open a video or audio file by its path, URL or bytes.

    Raises:
        InvalidInputError: PyAV is missing; the file is, or cannot be fetched or read.
    """
    av = import_av()
    file = locate(media)
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(content_of(file))
        with reading(file.label, f"cannot be read as {file.kind}"):
            container = stack.enter_context(av.open(source, options=_OPTIONS, **_tags(av)))
            yield _described(av, container, file.label)


def _tags(av: Any) -> dict[str, str]:
    """Tags that are not UTF-8 are no reason to refuse a file; from PyAV 19 on they never are."""
    return {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}


def content_of(file: MediaFile) -> contextlib.AbstractContextManager[BinaryIO]:
    """A located file as a binary file object.

    Raises:
        InvalidInputError: it cannot be opened or fetched.
    """
    if file.asset is not None:
        raise InvalidInputError(
            "is an asset, whose content the API does not return; pass media= with the path or address of the file.",
            item=file.label,
        )
    if file.url is not None:
        return open_url(file.url, file.label)
    if file.data is not None:
        return io.BytesIO(file.data)
    assert file.path is not None
    try:
        return file.path.open("rb")
    except OSError as error:
        raise InvalidInputError(f"cannot be read: {error.strerror or error}.", item=file.label) from error


def _described(av: Any, container: Any, label: str) -> OpenedMedia:
    videos = [stream for stream in container.streams.video if not _is_cover(stream)]
    for stream in videos:
        stream.codec_context.options = {"max_pixels": str(LARGEST_FRAME)}
    audios = container.streams.audio
    length = container.duration
    return OpenedMedia(
        container,
        label,
        length / av.time_base if length and length > 0 else None,
        (container.start_time or 0) / av.time_base,
        videos[0] if videos else None,
        audios[0] if audios else None,
    )


def _is_cover(stream: Any) -> bool:
    disposition = getattr(stream, "disposition", None)  # PyAV 13 and newer
    return disposition is not None and bool(int(disposition) & 0x400)  # AV_DISPOSITION_ATTACHED_PIC
