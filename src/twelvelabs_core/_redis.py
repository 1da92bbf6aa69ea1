"""What the uses of Redis have in common: shared limits, and the cache. Its address, and what is said of its errors."""

from __future__ import annotations

import re
from typing import Any

from pydantic import SecretStr

from ._errors import InvalidInputError

REDIS_SCHEMES = ("redis", "rediss", "unix")
EXTRA = "needs the package redis: pip install 'twelvelabs-embeddings[redis]'."


def as_secret(place: Any) -> Any:
    """A URL as a secret, as it may hold a password; anything else as it is."""
    return SecretStr(place) if isinstance(place, str) and "://" in place else place


def redis_url(place: SecretStr, setting: str) -> SecretStr | None:
    """A place that is a URL of Redis; None if it is no URL.

    Args:
        setting: what it is given as, for the error.

    Raises:
        InvalidInputError: it has another scheme.
    """
    if "://" not in place.get_secret_value():
        return None
    scheme = place.get_secret_value().partition("://")[0]
    if scheme not in REDIS_SCHEMES:
        raise InvalidInputError(
            f"{setting}= does not know {scheme}://; it takes the path of a SQLite file, or a URL with "
            f"{', '.join(f'{known}://' for known in REDIS_SCHEMES)}."
        )
    return place


def without_password(url: str) -> str:
    """An address as it may be shown: without user, password and parameters. Without all where a password that is not
    percent-encoded hides where it ends.
    """
    scheme, _, rest = url.partition("://")
    rest = re.sub(r"^[^/?#]*@", "", rest)
    return f"{scheme}://…" if "@" in rest else f"{scheme}://{rest.partition('?')[0]}"


def said(error: Exception) -> str:
    """What an error of Redis says, without a password."""
    text = f"{type(error).__name__}: {error}".partition(", with args")[0]  # of a refused command, AUTH too
    return re.sub(r"(?<=//)[^/?#\s]*@", "", text)[:200].rstrip(".")


def remedy(error: Exception, commands: str) -> str:
    """What to do about it.

    Args:
        commands: what the user of Redis must be allowed, for example ``GET and SET``.
    """
    if is_refused(error):
        return f"Check the user and password in the URL; {commands} must be allowed."
    return "Is it running, and does the URL name its host, port and database?"


def is_refused(error: Exception) -> bool:
    """Whether Redis has refused the user, so that it does not pass by itself."""
    text = f"{type(error).__name__} {error}"
    return any(word in text for word in ("Authentication", "NOAUTH", "WRONGPASS", "NoPermission", "NOPERM"))


def is_read_only(error: Exception) -> bool:
    """Whether Redis is a replica. After a failover, connections may stay with what was the primary: a new one goes
    where its name leads now.
    """
    text = f"{type(error).__name__} {error}"
    return "ReadOnly" in text or "READONLY" in text
