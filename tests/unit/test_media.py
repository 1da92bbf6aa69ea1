"""Where media may come from, what is found out about them before anything is sent, and in which words."""

from __future__ import annotations

import base64
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any

import av
import numpy as np
import PIL.Image
import pytest
from PIL import Image as Pillow

import media
from service import Service, sent_json
from twelvelabs_core import MODELS, Audio, Composed, Document, Image, InvalidInputError, Media, Video
from twelvelabs_core._formats import MIME, sniff
from twelvelabs_core._inputs import as_list, as_media, describe
from twelvelabs_core._media import Resolved, inspect

M30 = MODELS["marengo3.0"]
M35 = MODELS["marengo3.5"]


def look(item: Media, model: Any = M35, label: str = "uris[0]") -> Resolved:
    return inspect(item, model, label)


def refusal(item: Media, model: Any = M35, label: str = "uris[0]") -> str:
    with pytest.raises(InvalidInputError) as caught:
        look(item, model, label).load()
    assert caught.value.item is not None
    return str(caught.value)


# -- sources ---------------------------------------------------------------------------------------------------

PNG = media.png()
JPEG = media.jpeg()


class MyPath:
    """A path of some library's own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __fspath__(self) -> str:
        return str(self.path)


class Pipe(io.RawIOBase):
    """A stream that cannot be rewound."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def read(self, size: int = -1) -> bytes:
        content, self.content = self.content, b""
        return content


def read_to_its_end(content: bytes) -> io.BytesIO:
    file = io.BytesIO(content)
    file.read()
    return file


SOURCES: dict[str, Callable[[Path], Any]] = {
    "str": str,
    "Path": lambda path: path,
    "PurePath": lambda path: PurePath(path),
    "PathLike": MyPath,
    "file URI": lambda path: path.as_uri(),
    "bytes": lambda path: path.read_bytes(),
    "bytearray": lambda path: bytearray(path.read_bytes()),
    "memoryview": lambda path: memoryview(path.read_bytes()),
    "data URI": lambda path: "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode(),
    "BytesIO": lambda path: io.BytesIO(path.read_bytes()),
    "BytesIO at its end": lambda path: read_to_its_end(path.read_bytes()),
    "pipe": lambda path: Pipe(path.read_bytes()),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_every_kind_of_source_is_read_whole(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a cat & 100%.png"
    path.write_bytes(PNG)
    found = look(Image(SOURCES[kind](path)))
    assert found.load() == PNG
    assert (found.mime, found.url) == ("image/png", None)
    assert found.filename.endswith(".png")


def test_an_open_file_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(PNG)
    with path.open("rb") as file:
        assert look(Image(file)).load() == PNG


def test_a_directory_entry_is_a_path(tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(PNG)
    with os.scandir(tmp_path) as entries:
        (entry,) = entries
    assert look(Image(entry)).load() == PNG


def test_the_home_directory_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cat.png").write_bytes(PNG)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert look(Image("~/cat.png")).load() == PNG


def test_a_data_uri_may_be_percent_encoded() -> None:
    assert look(Document("data:text/plain,a%20b%C3%A9")).load() == "a bé".encode()
    encoded = base64.b64encode(PNG).decode().replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    assert look(Image(f"data:image/png;base64,{encoded}")).load() == PNG


@pytest.mark.parametrize(
    "url", ["https://h.example/a/cat.webp?sig=1", "http://h.example/x", "HTTPS://h.example/cat.gif"]
)
def test_a_url_is_left_to_the_server(url: str) -> None:
    found = look(Image(url))
    assert found.url == url
    assert found.size is None


def test_a_source_s_own_file_name_is_used(tmp_path: Path) -> None:
    path = tmp_path / "cat.PNG"
    path.write_bytes(PNG)
    assert look(Image(path)).filename == "cat.PNG"
    assert look(Image(path, filename="other.png")).filename == "other.png"
    assert look(Image(PNG, filename="told.png")).filename == "told.png"
    assert look(Audio(media.mp3())).filename == "audio.mp3"


def test_a_pil_image_becomes_a_png() -> None:
    found = look(Image(media.picture("blue")))
    with Pillow.open(io.BytesIO(found.load())) as sent:
        assert (sent.format, sent.size, sent.getpixel((9, 9))) == ("PNG", (256, 256), (0, 0, 255))
    assert (found.mime, found.filename) == ("image/png", "image.png")


# -- what cannot be read ---------------------------------------------------------------------------------------


def test_no_such_file_says_where_it_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert refusal(Image("cat.jpg")) == f"uris[0] 'cat.jpg': no such file (looked in {tmp_path})."


def test_a_directory(tmp_path: Path) -> None:
    assert "is a directory; pass the files in it" in refusal(Image(tmp_path))


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "cat.png").touch()
    assert "is an empty file" in refusal(Image(tmp_path / "cat.png"))


def test_a_file_that_vanishes_before_its_turn(tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(PNG)
    found = look(Image(path))
    path.unlink()
    with pytest.raises(InvalidInputError, match=r"cat\.png': cannot be read: No such file"):
        found.load()


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root reads everything")
def test_a_file_one_may_not_read(tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(PNG)
    path.chmod(0)
    assert "cannot be read: Permission denied" in refusal(Image(path))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("", "is an empty string; expected a path, URL or data URI"),
        (b"", "has no content (0 bytes)"),
        (io.BytesIO(), "has no content (0 bytes)"),
        ("data:image/png;base64,", "has no content"),
        ("data:image/png;base64,!!!!", "holds broken base64"),
        ("data:image/png;base64,iVBORw0", "holds broken base64"),
        ("data:image/png;base64,ü", "holds broken base64"),
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
def test_a_source_that_is_none(source: Any, words: str) -> None:
    message = refusal(Image(source))
    assert words in message
    assert message.startswith("uris[0]")
    assert len(message) < 600  # a source is described, never shown


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("http://[broken", id="url"),
        pytest.param("~no-such-user-here/cat.png", id="home"),
    ],
)
def test_a_source_that_the_standard_library_refuses(source: str) -> None:
    assert refusal(Image(source))


def test_a_closed_file(tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(PNG)
    with (tmp_path / "cat.png").open("rb") as file:
        pass
    assert "closed" in refusal(Image(file))


def test_a_path_of_bytes(tmp_path: Path) -> None:
    class Bytes:
        def __fspath__(self) -> bytes:
            return bytes(tmp_path / "cat.png")

    (tmp_path / "cat.png").write_bytes(PNG)
    assert look(Image(Bytes())).load() == PNG  # type: ignore[arg-type]


def test_media_in_media_is_refused_when_made() -> None:
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
def test_a_page_about_a_film_is_not_the_film(host: str) -> None:
    message = refusal(Video(f"https://{host}/watch?v=x"))
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
def test_a_host_with_a_similar_name_is_no_such_page(url: str) -> None:
    assert look(Video(url)).url == url


# -- what is inside --------------------------------------------------------------------------------------------


def mpeg_ts() -> bytes:
    """A film in an MPEG transport stream."""
    return recorded("mpegts", "mpeg2video")


def recorded(container_format: str, codec: str) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format=container_format) as container:
        stream: Any = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 480, 360, "yuv420p"
        frame = av.VideoFrame.from_image(media.picture("red", (480, 360)))
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
        (Video(recorded("matroska", "mpeg4")), "video/x-matroska"),
        (Video(recorded("avi", "mpeg4")), "video/x-msvideo"),
        (Video(recorded("mov", "mpeg4")), "video/quicktime"),
        (Video(recorded("flv", "flv")), "video/x-flv"),
        (Video(recorded("mpeg", "mpeg2video")), "video/mpeg"),
        (Document(media.pdf()), "application/pdf"),
        (Document(b"plain words"), "text/plain"),
        (Document(b"# A title", filename="notes.md"), "text/markdown"),
        (Document(b"# A title", filename="notes.MARKDOWN"), "text/markdown"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_real_files_are_told_by_their_content(item: Media, mime: str) -> None:
    assert look(item).mime == mime


def test_a_name_that_lies_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(media.jpeg())
    assert look(Image(path)).mime == "image/jpeg"


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
def test_a_file_of_another_kind(item: Media, words: str) -> None:
    assert words in refusal(item)


@pytest.mark.parametrize("content", [mpeg_ts(), recorded("asf", "wmv2")], ids=["mpeg-ts", "wmv"])
def test_any_container_that_ffmpeg_reads_is_a_film(content: bytes) -> None:
    assert look(Video(content)).load() == content


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04\x14\x00\x06\x00docx", b"\x00\x01\x02\xff\xfe", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"]
)
def test_a_binary_file_is_no_text_document(content: bytes) -> None:
    assert "document" in refusal(Document(content, filename="letter.docx"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (PNG[: len(PNG) // 2], "is not a readable picture"),
        (media.jpeg()[:300], "is not a readable picture"),
        (b"\x89PNG\r\n\x1a\n" + b"\x00" * 100, "is not a readable picture"),
        (b"RIFF\x00\x00\x00\x00WEBPjunk", "is not a readable picture"),
    ],
    ids=["half a PNG", "start of a JPEG", "PNG of nothing", "WebP of nothing"],
)
def test_a_broken_picture_is_found_before_it_is_paid_for(content: bytes, words: str) -> None:
    message = refusal(Image(content))
    assert words in message
    assert "_io" not in message


@pytest.mark.parametrize(
    ("model", "side", "good"),
    [
        ("Marengo-retrieval-2.7", 64, True),
        ("Marengo-retrieval-2.7", 63, False),
        ("marengo3.0", 128, True),
        ("marengo3.0", 127, False),
        ("marengo3.5", 16, True),
    ],
)
@pytest.mark.parametrize("as_pil", [False, True])
def test_the_smallest_picture(model: str, side: int, good: bool, as_pil: bool) -> None:
    size = (400, side)
    item = Image(media.picture("red", size) if as_pil else media.png("red", size))
    if good:
        assert look(item, MODELS[model]).mime == "image/png"
    else:
        least = side + 1
        assert f"is 400x{side} pixels; the model needs {least}x{least} or more" in refusal(item, MODELS[model])


@pytest.mark.parametrize(
    ("kind", "head", "limit"),
    [(Audio, b"fLaC", 36), (Video, b"\x1aE\xdf\xa3", 36)],
)
def test_the_largest_file_of_one_request(kind: type[Media], head: bytes, limit: int, tmp_path: Path) -> None:
    path = tmp_path / "long.bin"
    path.write_bytes(head)
    os.truncate(path, limit * 10**6)
    assert look(kind(path), M30).size == limit * 10**6
    os.truncate(path, limit * 10**6 + 100_000)
    message = refusal(kind(path), M30)
    assert (
        f"is {limit}.1 MB; the API takes {limit} MB of {kind.kind} here. Make it smaller, or pass a public URL."
        in message
    )


# -- conversion ------------------------------------------------------------------------------------------------


def saved(image: Any, format_name: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format_name, **options)
    return out.getvalue()


def sent_picture(item: Image) -> Any:
    return Pillow.open(io.BytesIO(look(item, M30).load()))


@pytest.mark.parametrize("format_name", ["WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("named", [False, True])
def test_other_formats_become_png(format_name: str, named: bool) -> None:
    content = saved(media.picture("red", pattern="split", second="blue"), format_name)
    found = look(Image(content, filename="my.cat.webp" if named else None), M30)
    assert (found.mime, found.filename) == ("image/png", "my.cat.png" if named else "image.png")
    with Pillow.open(io.BytesIO(found.load())) as sent:
        assert (sent.format, sent.size) == ("PNG", (256, 256))
        colours = [sent.convert("RGB").getpixel(at) for at in ((20, 20), (200, 200))]
    assert all(
        abs(a - b) < 8
        for pair in zip(colours, [(255, 0, 0), (0, 0, 255)], strict=True)
        for a, b in zip(*pair, strict=True)
    )


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "YCbCr", "HSV", "LAB"])
def test_every_mode_of_a_pil_image_keeps_its_colours(mode: str) -> None:
    grey = media.picture((128, 128, 128)) if mode != "1" else media.picture("white")
    if mode == "LAB":
        image = Pillow.new("LAB", (256, 256), (137, 128, 128))  # lightness 137/255 is about this grey
    else:
        image = grey.convert(mode, palette=Pillow.Palette.ADAPTIVE)
    with sent_picture(Image(image)) as sent:
        assert sent.format == "PNG"
        found = sent.convert("RGB").getpixel((128, 128))
    want = grey.getpixel((128, 128))
    assert all(abs(a - b) <= 12 for a, b in zip(found, want, strict=True)), found


def test_transparency_stays() -> None:
    image = Pillow.new("RGBA", (256, 256), (255, 0, 0, 0))
    with sent_picture(Image(image)) as sent:
        assert sent.mode == "RGBA"
        assert sent.getpixel((1, 1))[3] == 0


def test_a_16_bit_png_goes_as_it_is() -> None:
    content = saved(Pillow.fromarray(np.full((256, 256), 32768, dtype=np.uint16)), "PNG")
    assert look(Image(content), M30).load() == content


@pytest.mark.parametrize("as_pil", [False, True])
def test_a_16_bit_grey_stays_that_grey(as_pil: bool) -> None:
    image = Pillow.fromarray(np.full((256, 256), 32768, dtype=np.uint16))
    with sent_picture(Image(image if as_pil else saved(image, "TIFF"))) as sent:
        pixel = np.asarray(sent)[0, 0]
        top = 65535 if sent.mode.startswith("I") else 255
    assert abs(float(np.mean(pixel)) / top - 0.5) < 0.02


def test_a_cmyk_jpeg_goes_as_it_is() -> None:
    content = saved(media.picture("red").convert("CMYK"), "JPEG")
    assert look(Image(content), M30).load() == content


def test_the_first_picture_of_a_moving_one_is_taken() -> None:
    frames = [media.picture(colour) for colour in ("red", "blue")]
    content = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    with sent_picture(Image(content)) as sent:
        assert sent.convert("RGB").getpixel((9, 9)) == (255, 0, 0)


TURNED = Pillow.Exif()
TURNED[0x0112] = 6  # to be shown turned a quarter


def test_a_jpeg_keeps_its_orientation_mark() -> None:
    content = saved(media.picture("red", (300, 200)), "JPEG", exif=TURNED)
    assert look(Image(content), M30).load() == content


@pytest.mark.parametrize("as_pil", [False, True], ids=["webp", "pil"])
def test_a_turned_picture_is_sent_as_it_is_shown(as_pil: bool) -> None:
    content = saved(media.picture("red", (300, 200)), "JPEG" if as_pil else "WEBP", exif=TURNED)
    source = Pillow.open(io.BytesIO(content)) if as_pil else content
    with sent_picture(Image(source)) as sent:
        upright = sent.size == (200, 300) or sent.getexif().get(0x0112) == 6
    assert upright


def test_a_picture_too_large_as_png_becomes_a_jpeg() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3300, 3300, 3), dtype=np.uint8)
    content = look(Image(Pillow.fromarray(noise)), M30).load()
    assert content.startswith(b"\xff\xd8\xff")
    assert len(content) < 32_000_000


# -- without Pillow --------------------------------------------------------------------------------------------


@pytest.fixture
def no_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    monkeypatch.setitem(sys.modules, "PIL", None)


@pytest.mark.usefixtures("no_pillow")
def test_without_pillow_what_the_api_takes_is_sent_unseen() -> None:
    for content in (JPEG, PNG, PNG[:100]):
        assert look(Image(content), M30).load() == content


@pytest.mark.usefixtures("no_pillow")
@pytest.mark.parametrize(("name", "content"), [("WEBP", media.webp()), ("GIF", media.gif())], ids=["webp", "gif"])
def test_without_pillow_other_formats_say_what_to_install(name: str, content: bytes) -> None:
    message = refusal(Image(content), M30)
    assert f"is {name}; the API takes JPEG, PNG." in message
    assert "twelvelabs-embeddings[media]" in message


# -- words -----------------------------------------------------------------------------------------------------


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
        (media.picture("red", (30, 20)), "PIL image 30x20"),
        (None, "a NoneType"),
        (Image(b"12345"), "5 bytes"),
        ("https://h.example/a.jpg?X-Amz-Signature=secret#t", "'https://h.example/a.jpg'"),
        ("x" * 10_000, repr("x" * 200)),
    ],
    ids=lambda value: "",
)
def test_a_source_in_a_few_words(source: Any, words: str) -> None:
    assert describe(source) == words


@pytest.mark.parametrize("url", ["https://user:secret@h.example/a.jpg", "https://h.example/a.jpg#secret"])
def test_no_other_part_of_a_url_is_shown_that_may_be_secret(url: str) -> None:
    assert "secret" not in describe(url)


def test_a_signature_is_in_no_message() -> None:
    url = "https://www.dropbox.com/s/cat.mp4?token=topsecret"
    assert "topsecret" not in refusal(Video(url))
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
def test_a_message_names_the_item_and_its_source_once(label: str, source: Any, shown: str) -> None:
    assert refusal(Image(source), label=label).startswith(shown)


def test_in_a_batch_the_first_bad_item_is_named_and_nothing_is_sent() -> None:
    service = Service()
    items = [Image(PNG), Image("/no/1.jpg"), Image("/no/2.jpg")]
    with pytest.raises(InvalidInputError, match=r"uris\[1\] '/no/1\.jpg': no such file"):
        service.client().embed_many(items, name="uris")
    with pytest.raises(InvalidInputError, match=r"composed\.media\[1\] '/no/1\.jpg'"):
        service.client().embed(Composed("a", items[:2]), name="composed")
    assert service.requests == []


# -- lists of sources ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one", ["cat.jpg", Path("cat.jpg"), b"x", bytearray(b"x"), io.BytesIO(b"x"), Image("cat.jpg")])
def test_one_source_where_a_list_is_meant(one: Any) -> None:
    with pytest.raises(InvalidInputError, match=r"Expected a list of sources, got one: .*Wrap it: \[source\]"):
        as_list(one)


def test_sources_become_media_of_one_kind() -> None:
    mine = Audio("a.wav", start_sec=2)
    assert as_media(Audio, ("b.wav", mine)) == [Audio("b.wav"), mine]
    assert as_media(Audio, iter(["b.wav"])) == [Audio("b.wav")]
    with pytest.raises(InvalidInputError, match="pass its source"):
        as_media(Audio, [Image("cat.png")])


# -- first bytes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\xff\xd8\xff\xe0", "jpeg"),
        (b"\x89PNG\r\n\x1a\n", "png"),
        (b"GIF87a", "gif"),
        (b"GIF89a", "gif"),
        (b"BM\x00\x00", "bmp"),
        (b"II*\x00", "tiff"),
        (b"MM\x00*", "tiff"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "wav"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "webp"),
        (b"RIFF\x00\x00\x00\x00AVI LIST", "avi"),
        (b"RIFF\x00\x00\x00\x00ACON", None),
        (b"fLaC\x00", "flac"),
        (b"OggS\x00", "ogg"),
        (b"ID3\x04", "mp3"),
        (b"\xff\xfb\x90\x00", "mp3"),
        (b"\xff\xf1\x50\x80", "aac"),
        (b"\x00\x00\x00\x20ftypisom", "mp4"),
        (b"\x00\x00\x00\x20ftypqt  ", "mov"),
        (b"\x00\x00\x00\x20ftypM4A ", "m4a"),
        (b"\x00\x00\x00\x20ftypavif", "avif"),
        (b"\x00\x00\x00\x20ftypheic", "heic"),
        (b"\x00\x00\x00\x08moov", "mov"),
        (b"\x1aE\xdf\xa3", "matroska"),
        (b"\x00\x00\x01\xba", "mpeg"),
        (b"FLV\x01", "flv"),
        (b"%PDF-1.7", "pdf"),
        (b"", None),
        (b"\xff", None),
        (b"RIFF", None),
        (b"plain words", None),
        (b"# A title", None),
    ],
)
def test_a_format_is_told_by_its_first_bytes(head: bytes, name: str | None) -> None:
    assert sniff(head + b"\x00" * 16 if name else head) == name
    assert name is None or name in MIME


def test_pillow_is_the_one_that_is_meant() -> None:
    """The fixture without Pillow must not leak into other tests."""
    assert sys.modules["PIL.Image"] is PIL.Image
