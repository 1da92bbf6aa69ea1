"""The service that the demo uses: TwelveLabs if there is a key, else the emulator in this process."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from twelvelabs_emulator import Emulator

__all__ = ["Service", "ServiceError", "connect"]

PUBLIC = "https://api.twelvelabs.io/v1.3"


class ServiceError(Exception):
    """The environment does not say which service to use; the message is one line for the user."""


@dataclass(frozen=True)
class Service:
    """Where requests go. ``toy``: it is an emulator, whose vectors have little meaning."""

    base_url: str
    api_key: SecretStr
    toy: bool

    @property
    def about(self) -> list[str]:
        """Lines that tell the user which service is used, and what its vectors are."""
        if self.toy:
            return [
                f"Answered by the local emulator at {self.base_url}: no key, no network, no model.",
                "Its vectors are toys: media are measured (colours, stripes, pitch, loudness) into words, and words",
                "are compared. What is found here says nothing about how well TwelveLabs' models find things.",
                "Set TWELVELABS_API_KEY to ask the real service with the same command.",
            ]
        return [
            f"Answered by the service at {self.base_url}, with your key.",
            "Every file and query is a request to your account (videos count by the minute), for each framework.",
        ]


@contextmanager
def connect(environ: Mapping[str, str] = os.environ) -> Iterator[Service]:
    """The service the environment names, or an emulator that runs until the block ends.

    Raises:
        ServiceError: there is an address but no key for it.
    """
    key = (environ.get("TWELVELABS_API_KEY") or environ.get("TWELVE_LABS_API_KEY") or "").strip()
    url = (environ.get("TWELVELABS_BASE_URL") or "").strip().rstrip("/")
    if key:
        yield Service(url or PUBLIC, SecretStr(key), toy=_is_emulator(url))
    elif url:
        raise ServiceError(
            f"TWELVELABS_BASE_URL is set ({url}) but TWELVELABS_API_KEY is not; set both, or neither for the emulator"
        )
    else:
        with Emulator() as emulator:
            yield Service(emulator.base_url, SecretStr(emulator.api_key), toy=True)


def _is_emulator(url: str) -> bool:
    """Whether an address is an emulator. Only asked on this machine: other servers do not know the path."""
    parts = urlsplit(url)
    if parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        return False
    try:
        return httpx.get(f"{parts.scheme}://{parts.netloc}/_emulator/health", timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False
