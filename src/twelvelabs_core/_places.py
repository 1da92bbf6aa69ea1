"""Where media are, as text: paths, URLs, and URLs without what only permits a download.

A signed URL changes with every signature while the object behind it stays the same. What is kept or compared (keys,
ids, metadata, messages) is made of the URL without its signature; only a request has the whole.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote_plus, urlsplit
from urllib.request import url2pathname

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")

# Names are compared in lower case. These prefixes are the provider's own, and nothing under them selects an object.
_SIGNING_PREFIXES = ("x-amz-", "x-goog-")
# What Alibaba Cloud (x-oss-) and Volcengine (x-tos-) sign with. Not the prefix: x-oss-process changes the content.
_VENDOR_FIELDS = (
    *("algorithm", "signature-version", "credential", "date", "expires", "signature", "signedheaders"),
    *("additional-headers", "security-token", "policy"),
)
_SIGNING_NAMES = frozenset(
    {
        *(prefix + name for prefix in ("x-oss-", "x-tos-") for name in _VENDOR_FIELDS),
        # Tencent Cloud
        *("q-sign-algorithm", "q-ak", "q-sign-time", "q-key-time", "q-header-list", "q-url-param-list", "q-signature"),
        "x-cos-security-token",
        # Akamai
        *("hdnts", "hdnea", "hdntl"),
    }
)
_WITH_SIGNATURE = frozenset(
    {
        *("signature", "expires", "awsaccesskeyid", "googleaccessid", "ossaccesskeyid", "accesskeyid", "keyname"),
        *("key-pair-id", "policy", "hash-algorithm", "security-token"),
    }
)
_AZURE_SAS = frozenset(
    {
        *("sig", "sv", "ss", "srt", "sr", "si", "st", "se", "sp", "spr", "sip", "ses", "sdd"),
        *("skoid", "sktid", "skt", "ske", "sks", "skv", "skdutid", "sduoid", "saoid", "suoid", "scid"),
    }
)
# Names that mean a signature only beside another one: which must all be there, and which are left out then.
_TOGETHER = (
    (frozenset({"signature", "expires"}), _WITH_SIGNATURE),  # AWS v2, Google v2, CloudFront, Cloud CDN, Alibaba, Huawei
    (frozenset({"signature", "key-pair-id"}), _WITH_SIGNATURE),  # CloudFront with a policy
    (frozenset({"sig", "sv"}), _AZURE_SAS),
    (frozenset({"sig", "se"}), _AZURE_SAS),
    (frozenset({"sig", "si"}), _AZURE_SAS),
)


def is_url(source: object) -> bool:
    """Whether the server fetches this source: ``http://`` or ``https://``."""
    return isinstance(source, str) and source[:8].lower().startswith(("http://", "https://"))


def unsigned_url(url: str) -> str:
    """A URL without user, password and the parameters of a signature; anything else is returned unchanged.

    Known are the signatures of AWS (S3, CloudFront), Google Cloud, Azure, Alibaba Cloud, Tencent Cloud, Volcengine,
    Huawei Cloud and Akamai. Other parameters stay, in their order, as they may select the object (``versionId``). So
    does what may be a signature or not, such as ``token``: two objects must never have one name.

    Of other schemes than HTTP (``s3://``, ``sftp://``) only a user with a password is left out.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or not _SCHEME.fullmatch(scheme):
        return url
    fragment = query = ""
    if is_url(url):
        rest, mark, fragment = rest.partition("#")
        fragment = mark + fragment
        rest, mark, query = rest.partition("?")
        query = _unsigned_query(mark + query)
    host, slash, path = rest.partition("/")
    user, at, bare_host = host.rpartition("@")
    if at and (is_url(url) or ":" in user):  # abfs://container@account names no user
        host = bare_host
    return f"{scheme}://{host}{slash}{path}{query}{fragment}"


def _unsigned_query(query: str) -> str:
    """A query, with its question mark, without signature; unchanged if it has none, empty if it has nothing else."""
    parts = query[1:].split("&")
    signing = _signing_names(map(_name, parts))
    if not signing:
        return query
    kept = [part for part in parts if _name(part) not in signing]
    return "?" + "&".join(kept) if kept else ""


def _name(part: str) -> str:
    return unquote_plus(part.partition("=")[0]).lower()


def _signing_names(names: Iterable[str]) -> set[str]:
    """Those of a query's parameter names that belong to a signature."""
    known = set(names)
    found = {name for name in known if name.startswith(_SIGNING_PREFIXES) or name in _SIGNING_NAMES}
    for needed, left_out in _TOGETHER:
        if needed <= known:
            found |= known & left_out
    return found


def bare_url(url: str) -> str:
    """A URL for messages: without user and password, query and fragment."""
    scheme, _, rest = url.partition("://")
    rest = re.split(r"[?#]", rest, maxsplit=1)[0]
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def local_path(place: str) -> Path | None:
    """The path on this machine that a string stands for (``~`` expanded, ``file://`` decoded); None if it has another
    scheme (``https://``, ``s3://``, ``data:``).
    """
    if place.startswith("file://"):
        return Path(url2pathname(urlsplit(place).path))
    if "://" in place or place.startswith("data:"):
        return None
    return expanded(place)


def expanded(path: str | os.PathLike[str]) -> Path:
    """A path with ``~`` expanded; as it is if there is no such user, as a shell leaves it."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def place_of(source: str) -> str:
    """A path or URL in one spelling: a path absolute, without ``.`` and ``..``; a URL without its signature.

    ``a.mp4``, ``./a.mp4``, ``/home/me/a.mp4`` and ``file:///home/me/a.mp4`` are one place. Links are not followed, so
    that a link is a place of its own, and a place does not depend on what is there. Reads no disk.
    """
    try:
        path = local_path(source)
        return unsigned_url(source) if path is None else os.path.normcase(os.path.abspath(path))  # noqa: PTH100  # Path.resolve follows links
    except (OSError, ValueError, RuntimeError):  # no working directory, no such user, no URL: it has one spelling
        return source
