"""The API key and the base URL: from arguments, else from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pydantic import SecretStr

from ._errors import AuthenticationError, InvalidInputError

API_KEY_VARIABLES = ("TWELVELABS_API_KEY", "TWELVE_LABS_API_KEY")
BASE_URL_VARIABLE = "TWELVELABS_BASE_URL"
PUBLIC_BASE_URL = "https://api.twelvelabs.io/v1.3"


def key_from_environment(environ: Mapping[str, str] = os.environ) -> str | None:
    """``TWELVELABS_API_KEY``, else ``TWELVE_LABS_API_KEY``, else None. Blank values count as missing."""
    values = (environ.get(name, "").strip() for name in API_KEY_VARIABLES)
    return next((value for value in values if value), None)


def resolve_api_key(api_key: SecretStr | str | None, environ: Mapping[str, str] = os.environ) -> SecretStr:
    """``api_key``, else the key of the environment, without surrounding white space.

    Raises:
        AuthenticationError: none of them is set, or the key contains characters that an HTTP header cannot carry.
    """
    given = api_key.get_secret_value() if isinstance(api_key, SecretStr) else api_key
    key = (given or "").strip() or key_from_environment(environ)
    if key is None:
        raise AuthenticationError(f"No API key. Pass api_key= or set {API_KEY_VARIABLES[0]}.")
    if not key.isascii() or not key.isprintable():
        raise AuthenticationError(
            "The API key contains characters that an HTTP header cannot carry (a line break, an accented letter?)."
        )
    return SecretStr(key)


def resolve_base_url(base_url: str | None, environ: Mapping[str, str] = os.environ) -> str:
    """``base_url``, else ``TWELVELABS_BASE_URL``, else the public address; without a trailing slash.

    Raises:
        InvalidInputError: it is not an http(s) address.
    """
    candidates = (base_url, environ.get(BASE_URL_VARIABLE), PUBLIC_BASE_URL)
    url = next(c.strip() for c in candidates if c and c.strip()).rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise InvalidInputError(f"base_url {url!r} is not an http(s) address. Example: {PUBLIC_BASE_URL}.")
    return url
