"""``/assets/{id}/user-metadata``."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from twelvelabs import TwelveLabs
from twelvelabs.errors import NotFoundError

from tests.support import media


@pytest.fixture
def asset_id(http: httpx.Client) -> str:
    fields = {"method": "direct", "user_metadata": '{"author": "me", "year": 2026}'}
    made: str = http.post("assets", data=fields, files={"file": ("a.png", media.png())}).json()["_id"]
    return made


def test_update_replace_delete(http: httpx.Client, sdk: TwelveLabs, asset_id: str) -> None:
    def kept() -> Any:
        return http.get(f"assets/{asset_id}").json().get("user_metadata")

    sdk.assets.update_user_metadata(asset_id, user_metadata={"tags": ["a"], "year": None, "author": "", "done": True})
    assert kept() == {"author": "me", "tags": ["a"], "done": True}
    sdk.assets.replace_user_metadata(asset_id, user_metadata={"rating": 9.5, "author": None, "tags": []})
    assert kept() == {"rating": 9.5}
    sdk.assets.delete_user_metadata(asset_id)
    assert kept() is None
    sdk.assets.update_user_metadata(asset_id, user_metadata={"year": 1})
    sdk.assets.replace_user_metadata(asset_id, user_metadata={})
    assert kept() is None


@pytest.mark.parametrize("body", [{}, {"user_metadata": [1]}, {"user_metadata": {"a": {"b": 1}}}, []])
def test_what_is_no_metadata_is_refused(http: httpx.Client, asset_id: str, body: Any) -> None:
    for method in ("PUT", "PATCH"):
        assert http.request(method, f"assets/{asset_id}/user-metadata", json=body).status_code == 400


def test_of_an_unknown_asset(sdk: TwelveLabs) -> None:
    with pytest.raises(NotFoundError):
        sdk.assets.update_user_metadata("6298d673f1090f1100476d4c", user_metadata={"a": 1})
