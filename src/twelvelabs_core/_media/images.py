"""Images with Pillow (the ``media`` extra): checked by decoding, and converted to what the API takes."""

from __future__ import annotations

import hashlib
import io
import math
from pathlib import Path
from typing import Any
from zlib import crc32

from .._errors import InvalidInputError
from .._net.forks import uncut
from .formats import detect_format
from .kinds import HEAD_BYTES, head_of

LARGEST_PNG = 32_000_000  # the API's limit for an image
CONVERTIBLE = frozenset({"webp", "gif", "bmp", "tiff", "avif", "heic"})
_JPEG_END = b"\xff\xd9"
# Beginnings of chunks with EXIF tags: the chunk of its own, and texts of ImageMagick and Adobe.
_PNG_EXIF = (b"eXIf", b"tEXtRaw profile type ", b"zTXtRaw profile type ", b"iTXtXML:com.adobe.xmp")
_PNG_START = b"\x89PNG\r\n\x1a\n"
_ORIENTATION = 0x0112  # EXIF tag; 1 = as stored
_SENT_AS_THEY_ARE = frozenset({"RGB", "RGBA", "L", "LA", "P", "1"})
_WITH_ALPHA = {"PA": "RGBA", "La": "LA", "RGBa": "RGBA"}


def has_pillow() -> bool:
    """Whether images can be decoded here."""
    try:
        with uncut():
            import PIL.Image  # noqa: F401
    except ImportError:
        return False
    return True


def check_image(source: bytes | Path, label: str) -> tuple[int, int, bool]:
    """Width and height in pixels, and whether the EXIF tag turns it, of an image that is whole.

    A JPEG or PNG is not decoded: a JPEG must have its end, a PNG its end and the checksums of all its chunks, which
    takes a hundredth of the time (measured). Between the header and the end of a JPEG, libjpeg decodes whatever is
    there; a damaged header may be left to the server, which does not charge for what it refuses. Any other image, and
    one that looks damaged, is decoded; a JPEG at its coarsest scale.

    Raises:
        InvalidInputError: it cannot be decoded; ``item`` is ``label``.
    """
    with _open(source, label) as image:
        size: tuple[int, int] = image.size
        try:
            if image.format == "PNG":
                content = source if isinstance(source, bytes) else source.read_bytes()
                chunks = _png_chunks(content)
                if chunks is not None:
                    return *size, _may_turn(chunks) and is_turned(image)
            if image.format not in ("JPEG", "MPO") or not _has_end(source):
                image.draft("RGB", (max(1, size[0] // 8), max(1, size[1] // 8)))
                image.load()
        except Exception as error:
            raise _unreadable(error, label) from error
        return *size, is_turned(image)


def _has_end(jpeg: bytes | Path) -> bool:
    if isinstance(jpeg, bytes):
        return jpeg.endswith(_JPEG_END)
    with jpeg.open("rb") as file:
        file.seek(-len(_JPEG_END), io.SEEK_END)
        return file.read() == _JPEG_END


def _png_chunks(png: bytes) -> list[memoryview] | None:
    """The chunks of a PNG, each with its type before its data; None if one is damaged, or the last is missing."""
    view, position = memoryview(png), len(_PNG_START)
    chunks: list[memoryview] = []
    while position + 12 <= len(png):
        end = position + 8 + int.from_bytes(view[position : position + 4], "big")
        chunk = view[position + 4 : end]
        if crc32(chunk) != int.from_bytes(view[end : end + 4], "big"):
            return None
        chunks.append(chunk)
        if bytes(chunk[:4]) == b"IEND":
            return chunks
        position = end + 4
    return None


def _may_turn(chunks: list[memoryview]) -> bool:
    """Whether a PNG has chunks that may say so; to look, Pillow decodes it."""
    return any(bytes(chunk[:25]).startswith(_PNG_EXIF) for chunk in chunks)


def is_turned(image: Any) -> bool:
    """Whether a PIL image's EXIF tag says that it is to be turned or mirrored."""
    try:
        return image.getexif().get(_ORIENTATION, 1) in range(2, 9)
    except Exception:  # broken EXIF: Pillow raises many types
        return False


def load_image(image: Any, label: str) -> tuple[int, int]:
    """Width and height of a PIL image, whose pixels are read now if they were not yet.

    Raises:
        InvalidInputError: it is closed or broken, or has no pixels.
    """
    try:
        image.load()
        width, height = image.size
    except Exception as error:
        raise _unreadable(error, label) from error
    if not width or not height:
        raise InvalidInputError(f"is an image of {width}x{height} pixels; there is nothing to embed.", item=label)
    return width, height


def digest_image(image: Any, label: str) -> bytes:
    """BLAKE2b, 20 bytes, of everything in a PIL image that changes what :func:`encode` makes of it.

    Raises:
        InvalidInputError: it is closed or broken.
    """
    try:
        found = hashlib.blake2b(f"{image.mode}{image.size}".encode(), digest_size=20)
        found.update(image.tobytes())
        orientation = image.getexif().get(_ORIENTATION, 1) if is_turned(image) else None
        more = {name: image.info.get(name) for name in ("transparency", "icc_profile")}
        more |= {"palette": image.getpalette("RGBA") if image.mode in ("P", "PA") else None, "turned": orientation}
        for name, value in more.items():
            if value is not None:
                found.update(f"\x1f{name}={value!r}".encode())
    except Exception as error:  # an image object raises what it likes
        raise _unreadable(error, label) from error
    return found.digest()


def convert(raw: bytes, label: str) -> bytes:
    """An image as PNG, or JPEG if that would be too large, turned as its EXIF tag says.

    Raises:
        InvalidInputError: it cannot be decoded; ``item`` is ``label``.
    """
    return encode(_open(raw, label), label)


def encode(image: Any, label: str) -> bytes:
    """A PIL image as PNG, turned as its EXIF tag says; as JPEG if the PNG would be too large to send.

    Raises:
        InvalidInputError: it cannot be read or converted; ``item`` is ``label``.
    """
    try:
        return _encode(image)
    except Exception as error:  # Pillow raises many types, by format and mode
        raise _unreadable(error, label) from error


def _encode(image: Any) -> bytes:
    with uncut():
        import PIL.Image
        from PIL import ImageOps

        PIL.Image.preinit()  # imports the formats, as saving would

    image = ImageOps.exif_transpose(image)  # readers of PNG ignore the EXIF orientation
    if image.mode.startswith("I;16"):
        image = _scaled(image.convert("I"), 65_535)
    elif image.mode == "I":
        image = _scaled(image, None)
    elif image.mode == "F":
        image = _scaled(image, 1.0 if image.getextrema()[1] <= 1.0 else None)
    elif image.mode not in _SENT_AS_THEY_ARE:
        image = image.convert(_WITH_ALPHA.get(image.mode, "RGB"))
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=3)
    if out.tell() > LARGEST_PNG:
        out = io.BytesIO()
        image.convert("RGB").save(out, "JPEG", quality=95)
    return out.getvalue()


def _open(source: bytes | Path, label: str) -> Any:
    try:
        with uncut():  # it may import formats
            import PIL.Image

            return PIL.Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)
    except Exception as error:  # Pillow raises many types, by format
        head = source[:HEAD_BYTES] if isinstance(source, bytes) else head_of(source)
        if detect_format(head) == "heic" and "HEIF" not in PIL.Image.ID:
            remedy = "install it, and call pillow_heif.register_heif_opener() first"
            why = f"is HEIC, which Pillow reads with the package pillow-heif: {remedy}."
            raise InvalidInputError(why, item=label) from error
        raise _unreadable(error, label) from error


def _unreadable(error: Exception, label: str) -> InvalidInputError:
    reason = str(error).partition(" <_io")[0].rstrip(". ") or type(error).__name__
    return InvalidInputError(f"is not a readable image: {reason}.", item=label)


def _scaled(image: Any, white: float | None) -> Any:
    """A grayscale image of mode ``I`` or ``F`` with 8 bits.

    Args:
        white: the value of white; None = 255, or 65,535 or the largest value if any is over that.
    """
    top = float(image.getextrema()[1])
    if not math.isfinite(top):
        raise ValueError("it has pixels that are not finite numbers")
    if white is None:
        white = 255.0 if top <= 255 else max(65_535.0, top)
    scale = 255.0 / white if white != 65_535 else 1 / 256  # 16 bits to 8: the upper byte
    return image.point(lambda value: value * scale).convert("L")
