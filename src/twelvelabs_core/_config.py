"""The API key and the base URL: from arguments, else from the environment.

Error trackers record the local variables of every frame of a traceback. No function here has the plain key, an address
with a password or the environment in one when it raises.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from pydantic import SecretStr

from ._errors import AuthenticationError, InvalidInputError

API_KEY_VARIABLES = ("TWELVELABS_API_KEY", "TWELVE_LABS_API_KEY")
BASE_URL_VARIABLE = "TWELVELABS_BASE_URL"
PUBLIC_BASE_URL = "https://api.twelvelabs.io/v1.3"
_NOT_IN_ADDRESS = re.compile(r"[\s\x00-\x1f\x7f\\\\]")


def secret_of(key: SecretStr | str | None) -> SecretStr | None:
    """A key as a secret, without surrounding white space; None if there is none.

    Anything else is returned as it is, for pydantic to refuse.
    """
    if isinstance(key, SecretStr):
        key = key.get_secret_value()
    if not isinstance(key, str):
        return key
    return SecretStr(key.strip()) if key.strip() else None


def key_from_environment(environ: Mapping[str, str] | None = None) -> SecretStr | None:
    """``TWELVELABS_API_KEY``, else ``TWELVE_LABS_API_KEY``, else None. Blank values count as missing."""
    found = (secret_of(_variable(name, environ)) for name in API_KEY_VARIABLES)
    return next((key for key in found if key), None)


def resolve_api_key(api_key: SecretStr | str | None, environ: Mapping[str, str] | None = None) -> SecretStr:
    """``api_key``, else the key of the environment, without surrounding white space.

    Raises:
        AuthenticationError: none of them is set, or the key contains characters that an HTTP header cannot carry.
    """
    api_key = secret_of(api_key) or key_from_environment(environ)
    if api_key is None:
        raise AuthenticationError(
            f"No API key. Pass api_key= or set {API_KEY_VARIABLES[0]}. To try without one, run the local emulator "
            "(python -m twelvelabs_emulator) and use the key and address that it prints."
        )
    if not _fits_header(api_key):
        raise AuthenticationError(
            "The API key contains characters that an HTTP header cannot carry (a line break, an accented letter?)."
        )
    return api_key


def resolve_base_url(base_url: str | None, environ: Mapping[str, str] | None = None) -> str:
    """``base_url``, else ``TWELVELABS_BASE_URL``, else the public address; without a trailing slash.

    Raises:
        InvalidInputError: it is not an http(s) address, or holds more than scheme, host, port and path. A user name and
            password are refused, since an address is shown in messages, reprs and logs.
    """
    base_url = (base_url or "").strip() or _variable(BASE_URL_VARIABLE, environ).strip() or PUBLIC_BASE_URL
    wrong = _wrong_in(base_url)
    if wrong:
        base_url = _shown(base_url)
        raise InvalidInputError(f"base_url {base_url!r} {wrong} Example: {PUBLIC_BASE_URL}.")
    return base_url.rstrip("/")


def _variable(name: str, environ: Mapping[str, str] | None) -> str:
    return (os.environ if environ is None else environ).get(name, "")


def _fits_header(key: SecretStr) -> bool:
    return key.get_secret_value().isascii() and key.get_secret_value().isprintable()


def _wrong_in(url: str) -> str | None:
    """What is wrong with an address; None if a request can be sent to it."""
    if not url.lower().startswith(("http://", "https://")):
        return "is not an http(s) address."
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
        valid = bool(host) and not _NOT_IN_ADDRESS.search(url) and bool(host.encode("idna"))  # type: ignore[union-attr]
    except ValueError:  # also UnicodeError
        valid = False
    if not valid:
        return "has no valid host or port."
    if "@" in parts.netloc:
        return (
            "holds a user name and password, which would show in messages and logs. Leave them out; for a gateway that "
            "asks for them, pass a transport= that adds the header."
        )
    if parts.query or parts.fragment:
        return "has a query or a fragment; the path of each request is added at its end."
    return None


def _shown(url: str) -> str:
    """An address without what stands before its last ``@`` and after its first ``?`` or ``#``."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "", url
    rest = re.split(r"[?#]", rest, maxsplit=1)[0]
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"[:200]
