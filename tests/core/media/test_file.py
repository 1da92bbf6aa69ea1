"""Media files: sources, detection of format, checks before sending, and messages."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path, PurePath
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from tests.support import media
from tests.support.service import Service, sent_json
from twelvelabs_core import (
    MODELS,
    Audio,
    Composed,
    Document,
    Image,
    InvalidInputError,
    Media,
    MediaLimit,
    Model,
    Video,
)
from twelvelabs_core._inputs import as_list, as_media, describe
from twelvelabs_core._media.file import MediaFile, locate, open_media
from twelvelabs_core._media.probe import Probe

M30 = MODELS["marengo3.0"]
M35 = MODELS["marengo3.5"]


def opened(item: Media, model: Any = M35, label: str = "uris[0]") -> MediaFile:
    return open_media(item, model, label)


def refusal_of(item: Media, model: Any = M35, label: str = "uris[0]") -> str:
    with pytest.raises(InvalidInputError) as caught:
        opened(item, model, label).load()
    assert caught.value.item is not None
    return str(caught.value)


# -- sources ---------------------------------------------------------------------------------------------------

PNG = media.png()
JPEG = media.jpeg()


class CustomPath:
    """A path object of another library."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __fspath__(self) -> str:
        return str(self.path)


class UnseekableStream(io.RawIOBase):
    """A stream that cannot be rewound."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def read(self, size: int = -1) -> bytes:
        content, self.content = self.content, b""
        return content


def stream_at_its_end(content: bytes) -> io.BytesIO:
    file = io.BytesIO(content)
    file.read()
    return file


SOURCES: dict[str, Callable[[Path], Any]] = {
    "str": str,
    "Path": lambda path: path,
    "PurePath": lambda path: PurePath(path),
    "PathLike": CustomPath,
    "file URI": lambda path: path.as_uri(),
    "bytes": lambda path: path.read_bytes(),
    "bytearray": lambda path: bytearray(path.read_bytes()),
    "memoryview": lambda path: memoryview(path.read_bytes()),
    "data URI": lambda path: "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode(),
    "BytesIO": lambda path: io.BytesIO(path.read_bytes()),
    "BytesIO at its end": lambda path: stream_at_its_end(path.read_bytes()),
    "pipe": lambda path: UnseekableStream(path.read_bytes()),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_every_kind_of_source_is_read_completely(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a cat & 100%.png"
    path.write_bytes(PNG)
    found = opened(Image(SOURCES[kind](path)))
    assert found.load() == PNG
    assert (found.mime, found.url) == ("image/png", None)
    assert found.filename.endswith(".png")


def test_an_open_file_is_read_completely(tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(PNG)
    with path.open("rb") as file:
        assert opened(Image(file)).load() == PNG


def test_a_directory_entry_is_a_path(tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(PNG)
    with os.scandir(tmp_path) as entries:
        (entry,) = entries
    assert opened(Image(entry)).load() == PNG


def test_a_tilde_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cat.png").write_bytes(PNG)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert opened(Image("~/cat.png")).load() == PNG


def test_a_data_uri_may_be_percent_encoded() -> None:
    assert opened(Document("data:text/plain,a%20b%C3%A9")).load() == "a bé".encode()
    encoded = base64.b64encode(PNG).decode().replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    assert opened(Image(f"data:image/png;base64,{encoded}")).load() == PNG


@pytest.mark.parametrize(
    "url", ["https://h.example/a/cat.webp?sig=1", "http://h.example/x", "HTTPS://h.example/cat.gif"]
)
def test_a_url_is_not_read(url: str) -> None:
    found = opened(Image(url))
    assert found.url == url
    assert found.size is None


def test_filename_of_the_source_is_used_unless_given(tmp_path: Path) -> None:
    path = tmp_path / "cat.PNG"
    path.write_bytes(PNG)
    assert opened(Image(path)).filename == "cat.PNG"
    assert opened(Image(path, filename="other.png")).filename == "other.png"
    assert opened(Image(PNG, filename="given.png")).filename == "given.png"
    assert opened(Audio(media.mp3())).filename == "audio.mp3"


def test_a_pil_image_becomes_a_png() -> None:
    found = opened(Image(media.image("blue")))
    with Pillow.open(io.BytesIO(found.load())) as sent:
        assert (sent.format, sent.size, sent.getpixel((9, 9))) == ("PNG", (256, 256), (0, 0, 255))
    assert (found.mime, found.filename) == ("image/png", "image.png")


# -- unreadable sources ----------------------------------------------------------------------------------------


def test_a_missing_file_is_refused_with_the_folder_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert refusal_of(Image("cat.jpg")) == f"uris[0] 'cat.jpg': no such file (looked in {tmp_path})."


def test_what_is_not_there_says_why(tmp_path: Path) -> None:
    (tmp_path / "old.png").symlink_to("/nowhere/old.png")
    assert refusal_of(Image(tmp_path / "old.png")).endswith("': is a broken link, to '/nowhere/old.png'.")
    assert refusal_of(Image(tmp_path / "cat.jpg")).endswith("cat.jpg': no such file.")
    assert refusal_of(Image("~/cat.jpg")).endswith("cat.jpg': no such file.")


def test_heic_needs_a_package_which_is_named(tmp_path: Path) -> None:
    heic = b"\x00\x00\x00\x20ftypheic" + bytes(99)
    (tmp_path / "phone.heic").write_bytes(heic)
    for source in (heic, tmp_path / "phone.heic"):
        assert "pillow_heif.register_heif_opener() first." in refusal_of(Image(source))


def test_a_format_that_is_not_taken_is_to_be_converted(tmp_path: Path) -> None:
    (tmp_path / "memo.m4a").write_bytes(b"\x00\x00\x00\x20ftypM4A " + bytes(99))
    assert refusal_of(Audio(tmp_path / "memo.m4a")).endswith("the API takes FLAC, MP3, WAV here. Convert it first.")


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert "is a directory; pass the files in it" in refusal_of(Image(tmp_path))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cat.png").touch()
    assert "is an empty file" in refusal_of(Image(tmp_path / "cat.png"))


def test_a_file_deleted_after_opening_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(PNG)
    found = opened(Image(path))
    path.unlink()
    with pytest.raises(InvalidInputError, match=r"cat\.png': cannot be read: No such file"):
        found.load()


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_read_permission_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(PNG)
    path.chmod(0)
    assert "cannot be read: Permission denied" in refusal_of(Image(path))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("", "is an empty string; expected a path, URL or data URI"),
        (b"", "has no content (0 bytes)"),
        (io.BytesIO(), "has no content (0 bytes)"),
        ("data:image/png;base64,", "has no content"),
        ("data:image/png;base64,!!!!", "contains broken base64"),
        ("data:image/png;base64,iVBORw0", "contains broken base64"),
        ("data:image/png;base64,ü", "contains broken base64"),
        ("data:without-a-comma", "no such file"),
        ("a\x00b.png", "is not a usable path"),
        ("x" * 100_000, "is not a usable path"),
        (base64.b64encode(b"no path at all" * 1000).decode(), "is not a usable path"),
        ("ftp://h.example/cat.png", "no such file"),
        (io.StringIO("text"), 'is a text file object; open it in binary mode ("rb")'),
        (None, "expected a path, URL, data URI, bytes or binary file object or PIL image, got a NoneType"),
        (7, "got a int"),
        (["cat.png"], "got a list"),
        (np.zeros((200, 200, 3), "uint8"), "got"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else type(value).__name__,
)
def test_an_unusable_source_is_refused_without_showing_it(source: Any, words: str) -> None:
    message = refusal_of(Image(source))
    assert words in message
    assert message.startswith("uris[0]")
    assert len(message) < 600  # a source is described, its content never shown


@pytest.mark.parametrize(
    ("kind", "words"),
    [(Image, "as an image"), (Audio, "as an audio"), (Video, "as a video"), (Document, "as a document")],
)
def test_an_unusable_source_is_refused_with_its_kind(kind: type[Media], words: str) -> None:
    message = refusal_of(kind(7))  # type: ignore[arg-type]
    assert f"cannot be read {words}: expected a path" in message
    assert ("PIL image" in message) is (kind is Image)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("http://[broken", id="url"),
        pytest.param("~no-such-user-here/cat.png", id="home"),
    ],
)
def test_errors_of_the_standard_library_become_refusals(source: str) -> None:
    assert refusal_of(Image(source))


def test_a_closed_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(PNG)
    with (tmp_path / "cat.png").open("rb") as file:
        pass
    assert "closed" in refusal_of(Image(file))


class Stream:
    """A file object that answers ``read`` by a function; seekable if it has a size."""

    def __init__(self, read: Callable[[], Any], size: Any = None) -> None:
        self._read, self._size = read, size

    def read(self) -> Any:
        return self._read()

    def seekable(self) -> bool:
        return self._size is not None

    def seek(self, offset: int, whence: int = 0) -> Any:
        return self._size if whence else offset


def raising(error: BaseException) -> Callable[[], Any]:
    def read() -> Any:
        raise error

    return read


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (Stream(raising(OSError("gone"))), "cannot be used: gone"),
        (Stream(raising(KeyError("k"))), "cannot be used: 'k'"),
        (Stream(raising(AttributeError())), "cannot be used: AttributeError"),
        (Stream(lambda: None), "read() returned a NoneType, not bytes"),
        (Stream(lambda: 7), "read() returned a int, not bytes"),
        (Stream(lambda: [1]), "read() returned a list, not bytes"),
        (Stream(lambda: "text"), 'is a text file object; open it in binary mode ("rb")'),
        (Stream(lambda: PNG[:50], len(PNG)), f"read() returned 50 of its {len(PNG)} bytes. Pass its bytes"),
        (Stream(lambda: b""), "has no content (0 bytes)"),
        (Stream(lambda: PNG[: len(PNG) // 2]), "is not a readable image"),
    ],
)
def test_an_odd_file_object_is_refused_with_its_item(stream: Any, words: str) -> None:
    message = refusal_of(Image(stream))
    assert message.startswith("uris[0]")
    assert words in message


@pytest.mark.parametrize("content", [PNG, bytearray(PNG), memoryview(PNG)])
@pytest.mark.parametrize("size", [None, len(PNG), "no number"])
def test_a_file_object_may_return_any_bytes(content: Any, size: Any) -> None:
    assert opened(Image(Stream(lambda: content, size))).load() == PNG  # type: ignore[arg-type]


def test_bytes_that_change_later_are_what_they_were() -> None:
    content = bytearray(PNG)
    file = opened(Image(content))
    content[:] = bytes(len(content))
    assert file.load() == PNG


class OddName:
    """A file object whose name cannot be told."""

    @property
    def name(self) -> str:
        raise KeyError("name")

    def read(self) -> bytes:
        return PNG


def test_a_source_that_cannot_be_described_is_read() -> None:
    assert opened(Image(OddName())).load() == PNG  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [b"\xff\xfe.mp4", b'a\n"b.mp4'])
def test_a_path_that_is_not_utf_8_is_measured(name: bytes, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(name)
    try:
        path.write_bytes(media.mp4([("red", 6, 220)]))
    except OSError:
        pytest.skip("the file system has no such names")
    file = opened(Video(path))
    assert file.measured.duration_sec == pytest.approx(6, abs=0.3)
    assert file.suffix == ".mp4"


@pytest.mark.parametrize("url", ["https://h.example/\ud800.png", "http://\udcff/"])
def test_a_url_of_broken_unicode_is_refused(url: str) -> None:
    assert "cannot be used" in refusal_of(Image(url))


@given(
    st.sampled_from([Image, Audio, Video, Document]),
    st.sampled_from(
        [PNG[:40], media.jpeg()[:200], media.wav()[:60], b"%PDF-1.4\n", b"\x00\x00\x00\x18ftypmp42", b"fLaC", b""]
    ),
    st.binary(max_size=200),
    st.booleans(),
)
def test_any_bytes_are_a_file_or_one_of_our_errors(kind: type[Media], head: bytes, rest: bytes, may_task: bool) -> None:
    try:
        file = open_media(kind(head + rest), M35, "uris[0]", may_task=may_task)
        assert file.load()
        assert len(file.digest) == 20
    except InvalidInputError as error:
        assert error.item is not None and error.item.startswith("uris[0]")


# -- media as they are made ---------------------------------------------------------------------------------------


def test_media_itself_has_no_kind() -> None:
    with pytest.raises(InvalidInputError, match="use Image, Audio, Video or Document"):
        Media("x")


@pytest.mark.parametrize("kind", [Audio, Video])
@pytest.mark.parametrize("field", ["start_sec", "end_sec"])
@pytest.mark.parametrize("value", ["a", "1", True, float("nan"), float("inf"), -1, 1j, [1], b"1"])
def test_a_time_that_is_no_number_of_seconds_is_refused(kind: Any, field: str, value: Any) -> None:
    with pytest.raises(InvalidInputError, match=rf"'a\.mp4'.*{field}=.* must be a number of seconds, 0 or more"):
        kind("a.mp4", **{field: value})


@pytest.mark.parametrize(("start", "end"), [(5, 5), (5, 4), (None, 0)])
def test_an_end_before_the_start_is_refused(start: Any, end: Any) -> None:
    with pytest.raises(InvalidInputError, match="must be after start_sec"):
        Video("a.mp4", start_sec=start, end_sec=end)


@pytest.mark.parametrize("value", [np.float64(1.5), np.float32(1.5), Fraction(3, 2), 1.5])
def test_times_of_other_numbers_are_plain_floats(value: Any) -> None:
    """Others can be sent by no JSON, and have another repr in the key."""
    assert type(Video("a.mp4", start_sec=value).start_sec) is float
    assert Video("a.mp4", start_sec=value) == Video("a.mp4", start_sec=1.5)
    assert type(Video("a.mp4", start_sec=2).start_sec) is int


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": 5}, "name=5 must be a str"),
        ({"filename": b"x"}, "filename=b'x' must be a str"),
        ({"name": "\ud800"}, "broken Unicode"),
    ],
)
def test_a_name_that_cannot_be_sent_is_refused(fields: Any, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        Image("a.png", **fields)


# -- paths of other types -----------------------------------------------------------------------------------------


def test_a_bytes_path_is_read(tmp_path: Path) -> None:
    class Bytes:
        def __fspath__(self) -> bytes:
            return bytes(tmp_path / "cat.png")

    (tmp_path / "cat.png").write_bytes(PNG)
    assert opened(Image(Bytes())).load() == PNG  # type: ignore[arg-type]


def test_media_inside_media_is_refused_when_constructed() -> None:
    with pytest.raises(InvalidInputError, match=r"Audio\(\.\.\.\) was given Image\('cat.png'\); pass its source"):
        Audio(Image("cat.png"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "host",
    [
        "youtube.com",
        "www.youtube.com",
        "m.youtube.com",
        "youtu.be",
        "YouTube.com",
        "vimeo.com",
        "www.tiktok.com",
        "dailymotion.com",
        "drive.google.com",
        "www.dropbox.com",
        "onedrive.live.com",
        "1drv.ms",
    ],
)
def test_a_url_of_a_hosting_page_is_refused(host: str) -> None:
    message = refusal_of(Video(f"https://{host}/watch?v=x"))
    assert "serves a page about the media, not the file; the API needs a direct link" in message


@pytest.mark.parametrize(
    "url",
    [
        "https://notyoutube.com/a.mp4",
        "https://cdn.example/youtube.com/a.mp4",
        "https://youtube.com.example/a.mp4",
        "https://dl.dropboxusercontent.com/a.mp4",
    ],
)
def test_a_host_with_a_similar_name_is_accepted(url: str) -> None:
    assert opened(Video(url)).url == url


# -- formats ---------------------------------------------------------------------------------------------------


def mpeg_ts() -> bytes:
    """A video in an MPEG transport stream."""
    return encoded_video("mpegts", "mpeg2video")


def encoded_video(container_format: str, codec: str) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format=container_format) as container:
        stream: Any = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 480, 360, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.full((360, 480, 3), (255, 0, 0), "uint8"), format="rgb24")
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return out.getvalue()


@pytest.mark.parametrize(
    ("item", "mime"),
    [
        (Image(media.jpeg()), "image/jpeg"),
        (Image(PNG), "image/png"),
        (Audio(media.wav()), "audio/wav"),
        (Audio(media.mp3()), "audio/mpeg"),
        (Audio(media.flac()), "audio/flac"),
        (Video(media.mp4()), "video/mp4"),
        (Video(encoded_video("matroska", "mpeg4")), "video/x-matroska"),
        (Video(encoded_video("avi", "mpeg4")), "video/x-msvideo"),
        (Video(encoded_video("mov", "mpeg4")), "video/quicktime"),
        (Video(encoded_video("flv", "flv")), "video/x-flv"),
        (Video(encoded_video("mpeg", "mpeg2video")), "video/mpeg"),
        (Document(media.pdf()), "application/pdf"),
        (Document(b"plain words"), "text/plain"),
        (Document(b"# A title", filename="notes.md"), "text/markdown"),
        (Document(b"# A title", filename="notes.MARKDOWN"), "text/markdown"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_mime_type_is_detected_from_content(item: Media, mime: str) -> None:
    assert opened(item).mime == mime


def test_a_wrong_suffix_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(media.jpeg())
    assert opened(Image(path)).mime == "image/jpeg"


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (Image(b"just words"), "is not a readable image file; the API takes JPEG, PNG here."),
        (Image(media.mp3()), "is MP3; the API takes JPEG, PNG here. Use Audio(...) for it."),
        (Image(media.mp4()), "is MP4; the API takes JPEG, PNG here. Use Video(...) for it."),
        (Image(media.pdf()), "is PDF; the API takes JPEG, PNG here."),
        (Audio(PNG), "is PNG; the API takes FLAC, MP3, WAV here. Use Image(...) for it."),
        (Audio(media.ogg()), "is OGG; the API takes FLAC, MP3, WAV here."),
        (Audio(media.mp4()), "is MP4; the API takes FLAC, MP3, WAV here. Use Video(...) for it."),
        (Audio(b"just words"), "is not a readable audio file"),
        (Video(media.wav()), "is WAV; the API takes any video file that FFmpeg reads here. Use Audio(...) for it."),
        (Video(b"just words"), "is not a readable video file"),
        (Video(PNG), "Use Image(...) for it."),
        (Document(PNG), "is PNG; the API takes MD, PDF, TXT here. Use Image(...) for it."),
    ],
)
def test_a_file_of_another_kind_or_format_is_refused(item: Media, words: str) -> None:
    assert words in refusal_of(item)


@pytest.mark.parametrize("content", [mpeg_ts(), encoded_video("asf", "wmv2")], ids=["mpeg-ts", "wmv"])
def test_any_container_that_ffmpeg_reads_is_a_video(content: bytes) -> None:
    found = opened(Video(content))
    assert (found.load(), found.mime) == (content, "application/octet-stream")


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04\x14\x00\x06\x00docx", b"\x00\x01\x02\xff\xfe", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"]
)
def test_a_binary_file_is_refused_as_text_document(content: bytes) -> None:
    assert "document" in refusal_of(Document(content, filename="letter.docx"))


@pytest.mark.parametrize(
    ("kind", "head", "limit"),
    [(Audio, b"fLaC", 36), (Video, b"\x1aE\xdf\xa3", 36)],
)
def test_largest_file_of_one_request(kind: type[Media], head: bytes, limit: int, tmp_path: Path) -> None:
    path = tmp_path / "long.bin"
    path.write_bytes(head)
    os.truncate(path, limit * 10**6)
    assert opened(kind(path), M30).size == limit * 10**6
    os.truncate(path, limit * 10**6 + 100_000)
    message = refusal_of(kind(path), M30)
    assert (
        f"is {limit}.1 MB; the API takes {limit} MB of {kind.kind} here. Make it smaller, or pass a public URL."
        in message
    )


# -- messages ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("cat.jpg", "'cat.jpg'"),
        (PurePath("a", "cat.jpg"), repr(str(PurePath("a", "cat.jpg")))),
        (b"12345", "5 bytes"),
        (bytearray(3), "3 bytes"),
        (memoryview(b"1234"), "4 bytes"),
        ("data:image/png;base64,AAAA", "data URI of 26 characters"),
        (io.BytesIO(b"x"), "file object"),
        (media.image("red", (30, 20)), "PIL image 30x20"),
        (None, "a NoneType"),
        (Image(b"12345"), "5 bytes"),
        ("https://h.example/a.jpg?X-Amz-Signature=secret#t", "'https://h.example/a.jpg'"),
        ("x" * 10_000, repr("x" * 200)),
    ],
    ids=lambda value: "",
)
def test_describe(source: Any, words: str) -> None:
    assert describe(source) == words


@pytest.mark.parametrize("url", ["https://user:secret@h.example/a.jpg", "https://h.example/a.jpg#secret"])
def test_describe_hides_credentials_and_fragment_of_a_url(url: str) -> None:
    assert "secret" not in describe(url)


def test_a_url_signature_is_in_no_message() -> None:
    url = "https://www.dropbox.com/s/cat.mp4?token=topsecret"
    assert "topsecret" not in refusal_of(Video(url))
    service = Service(lambda _: {"data": []})
    with pytest.raises(Exception, match="no 'data'") as caught:
        service.client(max_retries=0).embed_many([Image("https://h.example/a.jpg?sig=topsecret")], name="uris")
    assert "topsecret" not in str(caught.value)
    assert "topsecret" not in repr(Image("https://h.example/a.jpg?sig=topsecret"))
    assert sent_json(service.requests[0])["image"]["media_source"]["url"].endswith("?sig=topsecret")


@pytest.mark.parametrize(
    ("label", "source", "shown"),
    [
        ("uris[3]", "/no/cat.jpg", "uris[3] '/no/cat.jpg': no such file"),
        ("uris[3] '/no/cat.jpg'", "/no/cat.jpg", "uris[3] '/no/cat.jpg': no such file"),
        ("image", b"", "image 0 bytes: has no content"),
    ],
)
def test_a_message_names_item_and_source_once(label: str, source: Any, shown: str) -> None:
    assert refusal_of(Image(source), label=label).startswith(shown)


def test_the_first_invalid_item_of_a_batch_is_named_and_nothing_is_sent() -> None:
    service = Service()
    items = [Image(PNG), Image("/no/1.jpg"), Image("/no/2.jpg")]
    with pytest.raises(InvalidInputError, match=r"uris\[1\] '/no/1\.jpg': no such file"):
        service.client().embed_many(items, name="uris")
    with pytest.raises(InvalidInputError, match=r"composed\.media\[1\] '/no/1\.jpg'"):
        service.client().embed(Composed("a", items[:2]), name="composed")
    assert service.requests == []


# -- lists of sources ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one", ["cat.jpg", Path("cat.jpg"), b"x", bytearray(b"x"), io.BytesIO(b"x"), Image("cat.jpg")])
def test_a_single_source_instead_of_a_list_is_refused(one: Any) -> None:
    with pytest.raises(InvalidInputError, match=r"Expected a list of sources, got one: .*Wrap it: \[source\]"):
        as_list(one)


def test_sources_become_media_of_one_kind() -> None:
    mine = Audio("a.wav", start_sec=2)
    assert as_media(Audio, ("b.wav", mine)) == [Audio("b.wav"), mine]
    assert as_media(Audio, iter(["b.wav"])) == [Audio("b.wav")]
    with pytest.raises(InvalidInputError, match="pass its source"):
        as_media(Audio, [Image("cat.png")])


# -- what is known of a file -----------------------------------------------------------------------------------


def measured(item: Media, seconds: float | None = None) -> MediaFile:
    return MediaFile(item, "x", measured=Probe(seconds))


@pytest.mark.parametrize(
    ("item", "seconds", "found"),
    [
        (Video(b"a"), 10, 10),
        (Video(b"a"), None, None),
        (Video(b"a", start_sec=2), None, None),
        (Video(b"a", start_sec=2), 10, 8),
        (Video(b"a", end_sec=7), 10, 7),
        (Audio(b"a", start_sec=2, end_sec=7), 10, 5),
        (Audio(b"a", start_sec=2, end_sec=70), 10, 8),
        (Audio(b"a", start_sec=12), 10, 0),
        (Image(b"a"), None, None),
    ],
)
def test_range_sec(item: Media, seconds: float | None, found: float | None) -> None:
    assert measured(item, seconds).range_sec == found


@pytest.mark.parametrize(
    ("item", "found"),
    [
        (Video(b"a"), False),
        (Video(b"a", start_sec=0), True),
        (Audio(b"a", end_sec=1), True),
        (Image(b"a"), False),
        (Document(b"a"), False),
    ],
)
def test_has_range(item: Media, found: bool) -> None:
    assert measured(item).has_range is found


def test_only_text_documents_are_text() -> None:
    assert opened(Document(b"words")).is_text
    assert opened(Document(b"# words", filename="a.md")).is_text
    assert not opened(Document(media.pdf())).is_text
    assert not opened(Image(PNG)).is_text


def test_digest_is_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    found = opened(Image(tmp_path / "a.png"))
    assert found.digest == opened(Image(PNG)).digest == hashlib.blake2b(PNG, digest_size=20).digest()
    assert found.content_digest == found.digest.hex()
    url = "https://h.example/a.png"
    assert opened(Image(url)).digest == hashlib.blake2b(b"url" + url.encode(), digest_size=20).digest()


def test_digest_of_a_large_file_is_read_in_blocks(tmp_path: Path) -> None:
    content = os.urandom((1 << 20) + 7)
    (tmp_path / "a.bin").write_bytes(content)
    assert locate(Video(tmp_path / "a.bin")).digest == hashlib.blake2b(content, digest_size=20).digest()


# -- changes -----------------------------------------------------------------------------------------------------


def rewrite_same_size(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content)
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))


def shorten_at_the_same_time(path: Path) -> None:
    before = path.stat().st_mtime_ns
    path.write_bytes(PNG[:-1])
    os.utime(path, ns=(before, before))


CHANGES: dict[str, Callable[[Path], Any]] = {
    "longer": lambda path: path.write_bytes(PNG + b"x"),
    "same size, later time": rewrite_same_size,
    "shorter, same time": shorten_at_the_same_time,
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("use", ["check_unchanged", "load", "digest"])
def test_a_file_changed_since_it_was_opened_is_refused(change: str, use: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    found = opened(Image(path))
    CHANGES[change](path)
    with pytest.raises(InvalidInputError, match=r"has changed while it was being embedded\. Embed it again") as caught:
        _ = found.digest if use == "digest" else getattr(found, use)()
    assert caught.value.item == f"uris[0] {str(path)!r}"


def test_another_content_of_the_same_size_and_times_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    found = opened(Image(path))
    assert found.digest
    before = path.stat()
    path.write_bytes(PNG[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(InvalidInputError, match="has changed"):
        found.load()
    with pytest.raises(InvalidInputError, match="has changed"):
        found.check_unchanged()


def test_another_file_in_its_place_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    found = opened(Image(path))
    before = path.stat()
    path.rename(tmp_path / "b.png")
    path.write_bytes(PNG)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(InvalidInputError, match="has changed"):
        found.check_unchanged()


def test_other_attributes_are_no_change(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    found = opened(Image(path))
    assert found.digest
    path.chmod(0o600)
    found.check_unchanged()
    assert found.load() == PNG


@pytest.mark.parametrize("kind", ["digest first", "load first"])
def test_digest_and_content_are_of_one_read(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    found = opened(Image(path))
    uses: list[Callable[[], Any]] = [lambda: found.digest, found.load]
    for use in uses if kind == "digest first" else uses[::-1]:
        use()
    assert found.digest == hashlib.blake2b(PNG, digest_size=20).digest()


def test_a_deleted_file_is_refused_by_the_check(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    found = opened(Image(path))
    found.check_unchanged()
    path.unlink()
    with pytest.raises(InvalidInputError, match="cannot be read: No such file"):
        found.check_unchanged()


def test_content_without_a_file_never_changes() -> None:
    for source in (PNG, "https://h.example/a.png", media.image()):
        opened(Image(source)).check_unchanged()


# -- one request or a task ---------------------------------------------------------------------------------------


def tone(seconds: float) -> Audio:
    return Audio(media.wav(440, seconds, 0.1))


@pytest.mark.parametrize(("seconds", "accepted"), [(2, True), (30, True), (31, False)])
def test_one_request_takes_30_seconds_of_audio_on_3_5(seconds: float, accepted: bool) -> None:
    if accepted:
        assert open_media(tone(seconds), M35, "x").measured.duration_sec == seconds
    else:
        with pytest.raises(InvalidInputError, match=r"is 31 s long; one request takes 30 s"):
            open_media(tone(seconds), M35, "x")
        assert open_media(tone(seconds), M35, "x", may_task=True).measured.duration_sec == seconds


def test_a_short_file_is_a_request_and_has_no_shortest_duration() -> None:
    assert open_media(tone(1), M35, "x", may_task=True).measured.duration_sec == 1


LONG = Model(
    "m",
    (2,),
    9,
    media={"audio": MediaLimit(frozenset({"wav"}), 10**6, max_sec=1)},
    task_media={"audio": MediaLimit(frozenset({"wav"}), 10**6, max_sec=3, min_sec=2)},
)


@pytest.mark.parametrize(
    ("seconds", "message"),
    [(1.0, None), (1.5, "a task needs 2 s or more"), (2.0, None), (3.0, None), (3.5, "a task takes 3 s")],
)
def test_limits_of_a_task_apply_to_files_too_long_for_a_request(seconds: float, message: str | None) -> None:
    if message is None:
        open_media(tone(seconds), LONG, "x", may_task=True)
    else:
        with pytest.raises(InvalidInputError, match=message):
            open_media(tone(seconds), LONG, "x", may_task=True)


def test_a_model_without_limits_accepts_any_file() -> None:
    found = open_media(Audio(b"\x00\x01\x02"), Model("m", (2,), 9), "x")
    assert (found.filename, found.mime, found.size) == ("audio", "application/octet-stream", 3)


@pytest.mark.parametrize(
    ("item", "filename"),
    [
        (Image(media.jpeg()), "image.jpg"),
        (Video(encoded_video("matroska", "mpeg4")), "video.mkv"),
        (Video(mpeg_ts()), "video"),
        (Document(b"words"), "document.txt"),
        (Document(b"words", filename="notes.MD"), "notes.MD"),
        (Image("https://h.example/a/cat.webp?sig=1"), "cat.webp"),
        (Image("https://h.example/a/cat.webp", filename="mine.png"), "mine.png"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_filename(item: Media, filename: str) -> None:
    assert opened(item).filename == filename


def test_a_small_video_frame_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="is 320x240 pixels; the API takes 360x360 or more"):
        opened(Video(media.mp4([("red", 2, 0)], size=(320, 240))))


def test_a_large_image_is_refused_unless_it_is_converted() -> None:
    limited = Model("m", (2,), 9, media={"image": MediaLimit(frozenset({"png"}), 100)})
    with pytest.raises(InvalidInputError, match="takes 0 MB of image"):
        open_media(Image(PNG), limited, "x")
    assert open_media(Image(media.webp()), limited, "x").mime == "image/png"
