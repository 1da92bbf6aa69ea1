"""Images with Pillow (the ``media`` extra): checked by decoding, and converted to what the API takes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from .._errors import InvalidInputError

LARGEST_PNG = 32_000_000  # the API's limit for an image
CONVERTIBLE = frozenset({"webp", "gif", "bmp", "tiff", "avif", "heic"})


def has_pillow() -> bool:
    """Whether images can be decoded here."""
    try:
        import PIL.Image  # noqa: F401
    except ImportError:
        return False
    return True


def image_size(source: bytes | Path, label: str) -> tuple[int, int]:
    """Width and height in pixels, from an image that was decoded once to find truncated and corrupt files.

    A JPEG is decoded at its coarsest scale, at a fraction of the cost of a full decode.

    Raises:
        InvalidInputError: it cannot be decoded; ``item`` is ``label``.
    """
    with _open(source, label) as image:
        size: tuple[int, int] = image.size
        try:
            image.draft("RGB", (max(1, size[0] // 8), max(1, size[1] // 8)))
            image.load()
        except Exception as error:
            raise _unreadable(error, label) from error
    return size


def convert(raw: bytes, label: str) -> bytes:
    """An image in a format the API does not take, as PNG or JPEG.

    Raises:
        InvalidInputError: it cannot be decoded; ``item`` is ``label``.
    """
    return encode(_open(raw, label))


def encode(image: Any) -> bytes:
    """A PIL image as PNG, rotated as its EXIF tag says; as JPEG if the PNG would be too large to send."""
    from PIL import ImageOps

    image = ImageOps.exif_transpose(image)  # readers of PNG ignore the EXIF orientation
    if image.mode.startswith("I"):  # 16 bits a pixel; plain conversion would clip at 255
        image = image.point(lambda value: value / 256, "L") if image.mode != "I" else _scaled(image)
    if image.mode not in ("RGB", "RGBA", "L", "LA", "P", "1"):
        image = image.convert("RGB")
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=3)
    if out.tell() > LARGEST_PNG:
        out = io.BytesIO()
        image.convert("RGB").save(out, "JPEG", quality=95)
    return out.getvalue()


def _open(source: bytes | Path, label: str) -> Any:
    import PIL.Image

    try:
        return PIL.Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)
    except Exception as error:  # Pillow raises many types, by format
        raise _unreadable(error, label) from error


def _unreadable(error: Exception, label: str) -> InvalidInputError:
    reason = str(error).partition(" <_io")[0].rstrip(". ") or type(error).__name__
    return InvalidInputError(f"is not a readable image: {reason}.", item=label)


def _scaled(image: Any) -> Any:
    """A 32-bit grayscale image with 8 bits; its values are 16-bit ones if any is over 255."""
    _, top = image.getextrema()
    scale = 1 / 256 if top > 255 else 1.0
    return image.point(lambda value: value * scale).convert("L")
