"""Images: corrupt, too small, converted with Pillow, and without Pillow."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.support import media
from twelvelabs_core import MODELS, Image, InvalidInputError, Media
from twelvelabs_core._media.file import MediaFile, locate, open_media

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


@pytest.mark.parametrize("as_path", [False, True])
@pytest.mark.parametrize("content", [PNG, JPEG], ids=["png", "jpeg"])
def test_a_whole_image_is_not_decoded(
    content: bytes, as_path: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(content)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda _: pytest.fail("decoded"))
    file = opened(Image(tmp_path / "a" if as_path else content))
    assert file.pixels == Pillow.open(io.BytesIO(content)).size[0] ** 2 and not file.turned


@pytest.mark.parametrize("place", (16, 40, 137, 234))
def test_a_png_with_a_wrong_byte_is_refused(place: int) -> None:
    damaged = bytearray(PNG)
    damaged[place] ^= 0x40
    assert "is not a readable image" in refusal_of(Image(bytes(damaged)))


@pytest.mark.parametrize("missing", [1, 2, 5, 100])
def test_a_jpeg_without_its_end_is_decoded_and_refused_if_it_is_truncated(missing: int) -> None:
    assert "is not a readable image" in refusal_of(Image(JPEG[:-missing] if missing > 2 else JPEG[: -100 * missing]))
    assert opened(Image(JPEG + b"trailing bytes")).mime == "image/jpeg"  # as some cameras write


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


def turned_jpeg(orientation: int) -> bytes:
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    return saved(media.image("red", (300, 200), pattern="split", second="blue"), "JPEG", exif=exif)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_turned_jpeg_is_one_image_as_a_file_and_as_a_pil_image(orientation: int) -> None:
    content = turned_jpeg(orientation)
    file = opened(Image(content, filename="my.cat.jpg"), M30)
    assert (file.mime, file.filename) == ("image/png", "my.cat.png")
    sent = file.load()
    assert sent == opened(Image(Pillow.open(io.BytesIO(content))), M30).load()
    with Pillow.open(io.BytesIO(sent)) as upright:
        assert upright.size == ((200, 300) if orientation > 4 else (300, 200))


def test_a_turned_jpeg_has_another_key_than_its_bytes_as_they_are() -> None:
    """Its row has the digest of the file itself, which can be computed without Pillow."""
    file = opened(Image(turned_jpeg(6)), M30)
    assert file.digest.hex() != file.content_digest == locate(Image(turned_jpeg(6))).content_digest


@pytest.mark.parametrize("orientation", [0, 1, 9])
def test_a_jpeg_that_is_not_turned_is_sent_unchanged(orientation: int) -> None:
    content = turned_jpeg(orientation)
    file = opened(Image(content), M30)
    assert file.load() == content
    assert file.digest.hex() == file.content_digest


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


# -- odd images ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I;16L"])
def test_16_bit_modes_keep_their_brightness(mode: str) -> None:
    order = ">u2" if mode == "I;16B" else "<u2"
    image = Pillow.frombytes(mode, (256, 256), np.full((256, 256), 32768, dtype=order).tobytes())
    with sent_image(Image(image)) as sent:
        assert (sent.mode, sent.getpixel((9, 9))) == ("L", 128)


@pytest.mark.parametrize(
    ("values", "grey"),
    [([0.0, 0.5], [0, 127]), ([0.0, 128.0], [0, 128]), ([0.0, 32768.0], [0, 128]), ([-5.0, 0.5], [0, 127])],
)
def test_floats_are_scaled_by_their_largest_value(values: list[float], grey: list[int]) -> None:
    pixels = np.repeat(np.array(values, dtype=np.float32), 128 * 256).reshape(256, 256)
    with sent_image(Image(Pillow.fromarray(pixels))) as sent:
        assert [sent.getpixel((9, 9)), sent.getpixel((9, 200))] == pytest.approx(grey, abs=1)


@pytest.mark.parametrize("mode", ["PA", "La", "RGBa", "RGBX"])
def test_rare_modes_are_converted(mode: str) -> None:
    start = {"PA": "P", "La": "LA", "RGBa": "RGBA", "RGBX": "RGB"}[mode]
    image = media.image((128, 128, 128)).convert(start, palette=Pillow.Palette.ADAPTIVE).convert(mode)
    with sent_image(Image(image)) as sent:
        assert all(abs(value - 128) < 4 for value in sent.convert("RGB").getpixel((9, 9)))


def closed() -> Any:
    image = Pillow.open(io.BytesIO(PNG))
    image.close()
    return image


class Broken:
    """Looks like a PIL image."""

    size, mode = (256, 256), "RGB"

    def getbands(self) -> Any:
        raise KeyError("bands")

    load = save = tobytes = getexif = getbands


@pytest.mark.parametrize(
    "image",
    [
        closed(),
        Pillow.new("RGB", (0, 0)),
        Pillow.new("RGB", (0, 300)),
        Pillow.fromarray(np.full((256, 256), np.nan, dtype=np.float32)),
        Pillow.open(io.BytesIO(PNG[: len(PNG) // 2])),
        Broken(),
    ],
    ids=["closed", "no pixels", "no width", "not a number", "half", "broken"],
)
@pytest.mark.parametrize("model", [M30, M35])
def test_an_odd_pil_image_is_refused_with_its_item(image: Any, model: Any) -> None:
    assert "uris[0]" in refusal_of(Image(image), model)


def test_a_decompression_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pillow, "MAX_IMAGE_PIXELS", 1000)
    assert "decompression bomb" in refusal_of(Image(PNG), M30)


def test_equal_indices_with_other_palettes_have_other_keys() -> None:
    red, blue = (media.image(colour).convert("P", palette=Pillow.Palette.ADAPTIVE) for colour in ("red", "blue"))
    assert red.tobytes() == blue.tobytes()
    assert opened(Image(red)).digest != opened(Image(blue)).digest


def test_what_else_changes_a_pil_image_as_sent_changes_its_key() -> None:
    content = saved(media.image("red", (300, 200)), "PNG")
    images = [Pillow.open(io.BytesIO(content)) for _ in range(3)]
    images[1].getexif()[0x0112] = 6
    images[2].info["transparency"] = (255, 0, 0)
    files = [opened(Image(image), M30) for image in images]
    assert len({file.digest for file in files}) == len({file.load() for file in files}) == 3


def test_a_pil_image_that_changes_before_it_is_sent_is_refused() -> None:
    image = media.image("red")
    file = opened(Image(image))
    assert file.digest
    image.putpixel((0, 0), (0, 0, 0))
    with pytest.raises(InvalidInputError, match="has changed"):
        file.load()


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
