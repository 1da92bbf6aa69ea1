"""Tests of the switch that keeps a test's requests on this machine."""

from __future__ import annotations

import pytest

from tests.support import media
from tests.support.service import Service
from twelvelabs_core import BatchError, EmbeddingClient, Image, InvalidInputError, local_only
from twelvelabs_core._net.pace import check_reach

REFUSED = r"a client was about to ask http://192\.0\.2\.1; nothing was sent\. Make the client in the test"


def test_nothing_is_sent_to_another_machine() -> None:
    client = EmbeddingClient(api_key="tlk_real", base_url="http://192.0.2.1/v1.3")
    with local_only():
        with pytest.raises(InvalidInputError, match=REFUSED) as failed:
            client.embed("a red bike")
        with pytest.raises(BatchError, match=REFUSED):
            client.embed_many(["a", Image(media.png("red"))])
        with pytest.raises(InvalidInputError, match=REFUSED):
            client.upload(Image(media.png("red")))
    assert "tlk_real" not in str(failed.value)


def test_a_transport_of_ones_own_is_left_alone() -> None:
    service = Service()
    with local_only():
        assert EmbeddingClient(api_key=service.key, transport=service.transport).embed("a").vector


@pytest.mark.parametrize("address", ["localhost:80", "127.0.0.1", "127.8.9.1:1", "[::1]:8080"])
def test_this_machine_is_asked(address: str) -> None:
    with local_only():
        check_reach(f"http://{address}/v1.3/embed-v2")


@pytest.mark.parametrize("address", ["api.twelvelabs.io", "localhost.example.com", "10.0.0.1", "[::2]", "0.0.0.0"])
def test_another_is_not(address: str) -> None:
    check_reach(f"https://{address}/v1.3/embed-v2")
    with local_only(), pytest.raises(InvalidInputError, match="nothing was sent"):
        check_reach(f"https://{address}/v1.3/embed-v2")
