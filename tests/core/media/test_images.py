"""Images: corrupt, too small, converted with Pillow, and without Pillow."""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.support import media
from twelvelabs_core import MODELS, Image, InvalidInputError, Media
from twelvelabs_core._media.file import MediaFile, open_media

M30 = MODELS["marengo3.0"]
M35 = MODELS["marengo3.5"]


PNG = media.png()
JPEG = media.jpeg()


def opened(item: Media, model: Any = M35, label: str = "uris[0]") -> MediaFile:
    return open_media(item, model, label)


def refusal_of(item: Media, model: Any = M35, label: str = "uris[0]") -> str:
    with pytest.raises(InvalidInputError) as caught:
        opened(item, model, label).load()
    assert caught.value.item is not None
    return str(caught.value)


# -- corrupt and small -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (PNG[: len(PNG) // 2], "is not a readable image: image file is truncated"),
        (media.jpeg()[:300], "is not a readable image: "),
        (b"\x89PNG\r\n\x1a\n" + b"\x00" * 100, "is not a readable image: cannot identify image file."),
        (b"RIFF\x00\x00\x00\x00WEBPjunk", "is not a readable image: cannot identify image file."),
    ],
    ids=["half a PNG", "start of a JPEG", "PNG without image", "WebP without image"],
)
def test_a_corrupt_image_is_refused_before_sending(content: bytes, words: str) -> None:
    message = refusal_of(Image(content))
    assert words in message
    assert "_io" not in message


@pytest.mark.parametrize(
    ("model", "side", "accepted"),
    [
        ("Marengo-retrieval-2.7", 64, True),
        ("Marengo-retrieval-2.7", 63, False),
        ("marengo3.0", 128, True),
        ("marengo3.0", 127, False),
        ("marengo3.5", 16, True),
    ],
)
@pytest.mark.parametrize("as_pil", [False, True])
def test_smallest_accepted_image(model: str, side: int, accepted: bool, as_pil: bool) -> None:
    size = (400, side)
    item = Image(media.image("red", size) if as_pil else media.png("red", size))
    if accepted:
        assert opened(item, MODELS[model]).mime == "image/png"
    else:
        least = side + 1
        assert f"is 400x{side} pixels; the API takes {least}x{least} or more" in refusal_of(item, MODELS[model])


# -- conversion ------------------------------------------------------------------------------------------------


def saved(image: Any, format_name: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format_name, **options)
    return out.getvalue()


def sent_image(item: Image) -> Any:
    return Pillow.open(io.BytesIO(opened(item, M30).load()))


@pytest.mark.parametrize("format_name", ["WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("named", [False, True])
def test_other_formats_are_converted_to_png(format_name: str, named: bool) -> None:
    content = saved(media.image("red", pattern="split", second="blue"), format_name)
    found = opened(Image(content, filename="my.cat.webp" if named else None), M30)
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
def test_every_pil_mode_keeps_its_colours(mode: str) -> None:
    grey = media.image((128, 128, 128)) if mode != "1" else media.image("white")
    if mode == "LAB":
        image = Pillow.new("LAB", (256, 256), (137, 128, 128))  # lightness 137/255 is about this grey
    else:
        image = grey.convert(mode, palette=Pillow.Palette.ADAPTIVE)
    with sent_image(Image(image)) as sent:
        assert sent.format == "PNG"
        found = sent.convert("RGB").getpixel((128, 128))
    want: Any = grey.getpixel((128, 128))
    assert all(abs(a - b) <= 12 for a, b in zip(found, want, strict=True)), found


def test_transparency_is_kept() -> None:
    image = Pillow.new("RGBA", (256, 256), (255, 0, 0, 0))
    with sent_image(Image(image)) as sent:
        assert sent.mode == "RGBA"
        assert sent.getpixel((1, 1))[3] == 0


def test_a_16_bit_png_is_sent_unchanged() -> None:
    content = saved(Pillow.fromarray(np.full((256, 256), 32768, dtype=np.uint16)), "PNG")
    assert opened(Image(content), M30).load() == content


@pytest.mark.parametrize("as_pil", [False, True])
def test_a_16_bit_grey_keeps_its_brightness(as_pil: bool) -> None:
    image = Pillow.fromarray(np.full((256, 256), 32768, dtype=np.uint16))
    with sent_image(Image(image if as_pil else saved(image, "TIFF"))) as sent:
        pixel = np.asarray(sent)[0, 0]
        top = 65535 if sent.mode.startswith("I") else 255
    assert abs(float(np.mean(pixel)) / top - 0.5) < 0.02


@pytest.mark.parametrize(("value", "grey"), [(32768, 128), (200, 200), (255, 255), (256, 1)])
def test_a_32_bit_grey_is_scaled_by_its_largest_value(value: int, grey: int) -> None:
    image = Pillow.new("I", (256, 256), value)
    with sent_image(Image(image)) as sent:
        assert (sent.mode, sent.getpixel((9, 9))) == ("L", grey)


def test_a_cmyk_jpeg_is_sent_unchanged() -> None:
    content = saved(media.image("red").convert("CMYK"), "JPEG")
    assert opened(Image(content), M30).load() == content


def test_the_first_frame_of_an_animation_is_sent() -> None:
    frames = [media.image(colour) for colour in ("red", "blue")]
    content = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    with sent_image(Image(content)) as sent:
        assert sent.convert("RGB").getpixel((9, 9)) == (255, 0, 0)


ROTATED = Pillow.Exif()
ROTATED[0x0112] = 6  # display rotated by 90 degrees


def test_a_jpeg_keeps_its_orientation_tag() -> None:
    content = saved(media.image("red", (300, 200)), "JPEG", exif=ROTATED)
    assert opened(Image(content), M30).load() == content


@pytest.mark.parametrize("as_pil", [False, True], ids=["webp", "pil"])
def test_a_converted_image_keeps_its_orientation(as_pil: bool) -> None:
    content = saved(media.image("red", (300, 200)), "JPEG" if as_pil else "WEBP", exif=ROTATED)
    source = Pillow.open(io.BytesIO(content)) if as_pil else content
    with sent_image(Image(source)) as sent:
        upright = sent.size == (200, 300) or sent.getexif().get(0x0112) == 6
    assert upright


def test_an_image_too_large_as_png_becomes_a_jpeg() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3300, 3300, 3), dtype=np.uint8)
    content = opened(Image(Pillow.fromarray(noise)), M30).load()
    assert content.startswith(b"\xff\xd8\xff")
    assert len(content) < 32_000_000


# -- without Pillow --------------------------------------------------------------------------------------------


@pytest.fixture
def no_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    monkeypatch.setitem(sys.modules, "PIL", None)


@pytest.mark.usefixtures("no_pillow")
def test_without_pillow_accepted_formats_are_sent_undecoded() -> None:
    for content in (JPEG, PNG, PNG[:100]):
        assert opened(Image(content), M30).load() == content


@pytest.mark.usefixtures("no_pillow")
@pytest.mark.parametrize(("name", "content"), [("WEBP", media.webp()), ("GIF", media.gif())], ids=["webp", "gif"])
def test_without_pillow_other_formats_name_the_extra(name: str, content: bytes) -> None:
    message = refusal_of(Image(content), M30)
    assert f"is {name}; the API takes JPEG, PNG." in message
    assert "twelvelabs-embeddings[media]" in message
