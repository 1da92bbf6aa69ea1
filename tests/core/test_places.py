"""Paths in one spelling, and URLs without their signatures."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twelvelabs_core import Image, Video
from twelvelabs_core._cache.keys import item_key
from twelvelabs_core._media.file import locate
from twelvelabs_core._places import local_path, place_of, unsigned_url

BUCKET = "https://media.s3.eu-west-1.amazonaws.com/videos/beach%20one.mp4"

SIGNATURES = {
    "AWS v4": "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2F20260101%2Feu%2Fs3%2Faws4_request"
    "&X-Amz-Date=20260101T000000Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host&X-Amz-Security-Token=t&X-Amz-Signature=ab",
    "AWS v2": "AWSAccessKeyId=AKIA&Signature=vjbyPxybdZaNmGa%2ByT272YEAiv4%3D&Expires=1175139620",
    "AWS v2, temporary": "AWSAccessKeyId=AKIA&Signature=vj&Expires=1175139620&x-amz-security-token=t",
    "CloudFront": "Expires=1357034400&Signature=nitfHRCrtziwO2HwPfWw&Key-Pair-Id=K2JCJMDEHXQW5F",
    "CloudFront with a policy": "Policy=eyANCiAgICEXAMPLEW1&Signature=nitf&Key-Pair-Id=K2JCJ&Hash-Algorithm=SHA256",
    "Google v4": "X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential=a%40b&X-Goog-Date=20260101T000000Z"
    "&X-Goog-Expires=900&X-Goog-SignedHeaders=host&X-Goog-Signature=247a",
    "Google v2": "GoogleAccessId=a%40b.iam&Expires=1458238630&Signature=VVUgfqviDCov",
    "Google Cloud CDN": "Expires=1558131350&KeyName=my-key&Signature=fs6",
    "Azure": "sv=2024-11-04&ss=b&srt=sco&sp=rl&st=2026-01-01T00%3A00%3A00Z&se=2026-01-02T00%3A00%3A00Z&sip=1.1.1.1"
    "&spr=https&sig=Qx%2Fy%3D",
    "Azure, of a user": "sv=2024-11-04&sr=b&sp=r&se=2026&skoid=a&sktid=b&skt=c&ske=d&sks=b&skv=2024&saoid=1&suoid=2"
    "&scid=3&sdd=1&ses=e&skdutid=f&sduoid=g&sig=Qx",
    "Azure with a stored policy": "si=readers&sr=c&sig=Qx",
    "Alibaba v1": "OSSAccessKeyId=nz2p&Expires=1141889120&Signature=vjby&security-token=t",
    "Alibaba v4": "x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-credential=a&x-oss-date=2026&x-oss-expires=60"
    "&x-oss-additional-headers=host&x-oss-security-token=t&x-oss-signature=77",
    "Tencent": "q-sign-algorithm=sha1&q-ak=AKID&q-sign-time=1;2&q-key-time=1;2&q-header-list=host&q-url-param-list="
    "&q-signature=ab&x-cos-security-token=t",
    "Volcengine": "X-Tos-Algorithm=TOS4-HMAC-SHA256&X-Tos-Credential=a&X-Tos-Date=b&X-Tos-Expires=1"
    "&X-Tos-SignedHeaders=host&X-Tos-Security-Token=t&X-Tos-Signature=c",
    "Huawei": "AccessKeyId=AK&Expires=1532779451&Signature=0Akyl",
    "Akamai": "hdnts=exp=1~acl=/*~hmac=ab",
}
# What selects the object, or may: nothing of it is a signature beyond doubt.
KEPT = [
    "versionId=3HL4kqtJlcpXroDTDmJ",
    "generation=1360887697105000",
    "snapshot=2026-01-01T00:00:00.0000000Z",
    "page=4&x-oss-process=image/resize,w_100",
    "token=1b2c",
    "e=1&token=ab:cd",
    "alt=media&token=1b2c",
    "Expires=1",
    "signature=a-film-called-signature",
    "Policy=privacy&sp=3&se=2&st=1&sv=0",
    "sig=3",
    "Key-Pair-Id=3",
    "awsaccesskeyid=x",
    "e=1&e=2&&=&f=",
    "",
]


@pytest.mark.parametrize("provider", SIGNATURES)
@pytest.mark.parametrize("kept", ["versionId=3HL4kq", "page=4&token=1b2c", "b=2&a=1&b=3&&c"])
def test_a_signature_is_left_out_wherever_it_stands(provider: str, kept: str) -> None:
    signature, (first, *rest) = SIGNATURES[provider], kept.split("&")
    for query in (f"{signature}&{kept}", f"{kept}&{signature}", "&".join([first, signature, *rest])):
        assert unsigned_url(f"{BUCKET}?{query}") == f"{BUCKET}?{kept}"
    assert unsigned_url(f"{BUCKET}?{signature}#t=3") == f"{BUCKET}#t=3"
    assert unsigned_url(f"{BUCKET}?{signature.upper()}") == BUCKET


@pytest.mark.parametrize("query", KEPT)
def test_what_may_select_the_object_stays(query: str) -> None:
    url = f"{BUCKET}?{query}"
    assert unsigned_url(url) == url


def test_names_written_in_escapes_are_known_too() -> None:
    assert unsigned_url(f"{BUCKET}?X%2DAmz%2DSignature=ab&v=1") == f"{BUCKET}?v=1"


@pytest.mark.parametrize(
    ("url", "bare"),
    [
        ("https://me:secret@h.example/a.mp4", "https://h.example/a.mp4"),
        ("https://me@h.example:8443/a@b.mp4?c=d@e", "https://h.example:8443/a@b.mp4?c=d@e"),
        ("HTTPS://me:se@cret@h.example?a=1", "HTTPS://h.example?a=1"),
        ("sftp://me:secret@h.example/a.mp4", "sftp://h.example/a.mp4"),
        ("abfs://container@account.example/a.mp4", "abfs://container@account.example/a.mp4"),
        ("s3://bucket/what?.mp4", "s3://bucket/what?.mp4"),
        ("videos/a.mp4", "videos/a.mp4"),
        ("data:text/plain,https://me:secret@h.example", "data:text/plain,https://me:secret@h.example"),
    ],
)
def test_a_user_with_a_password_is_left_out(url: str, bare: str) -> None:
    assert unsigned_url(url) == bare


_words = st.text("abcxyzXYZ019-_.~%+", max_size=8)


@given(st.lists(st.tuples(_words, _words), max_size=5), st.text("abc/%20.", max_size=12), _words)
def test_a_url_without_signature_is_unchanged(pairs: list[tuple[str, str]], path: str, fragment: str) -> None:
    query = "&".join(f"{name}={value}" for name, value in pairs)
    url = f"https://h.example/{path}?{query}#{fragment}"
    assert unsigned_url(url) == url


@given(st.text())
def test_any_text_is_taken_and_a_second_time_changes_nothing(text: str) -> None:
    for url in (text, f"https://h.example/{text}", f"https://h.example/a?sig=1&sv=2&{text}"):
        once = unsigned_url(url)
        assert unsigned_url(once) == once
        place_of(url)


@given(st.sampled_from(sorted(SIGNATURES)), st.sampled_from(sorted(SIGNATURES)), st.text(min_size=1, max_size=6))
def test_a_new_signature_is_the_same_key(one: str, two: str, name: str) -> None:
    """And another object another one."""

    def key(url: str) -> str:
        media = Video(url)
        return item_key(b"", media, (locate(media),))

    where = f"https://h.example/{quote(name, safe='')}.mp4"
    assert key(f"{where}?{SIGNATURES[one]}") == key(f"{where}?{SIGNATURES[two]}") == key(where)
    assert key(f"{where}?{SIGNATURES[one]}&versionId=2") == key(f"{where}?versionId=2") != key(where)


def test_the_request_has_the_whole_url() -> None:
    signed = f"{BUCKET}?{SIGNATURES['AWS v4']}"
    file = locate(Image(signed), "uris[0]")
    assert file.url == signed
    assert "Signature" not in repr(file) + file.label + file.filename


# -- paths -------------------------------------------------------------------------------------------------------------


def test_a_path_has_one_place_however_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    whole = str(tmp_path / "a b.mp4")
    for written in ("a b.mp4", "./a b.mp4", "sub/../a b.mp4", whole, f"file://{quote(whole)}", "~/a b.mp4"):
        assert place_of(written) == whole, written
    assert place_of("other/a b.mp4") != whole


def test_a_link_is_a_place_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    (tmp_path / "latest.mp4").symlink_to(tmp_path / "a.mp4")
    assert place_of(str(tmp_path / "latest.mp4")) == str(tmp_path / "latest.mp4")


def test_what_is_no_path_is_its_own_place() -> None:
    assert place_of("file://[/a.mp4") == "file://[/a.mp4"
    assert place_of("s3://bucket/./a.mp4") == "s3://bucket/./a.mp4"
    assert place_of(f"{BUCKET}?{SIGNATURES['Azure']}") == BUCKET
    assert local_path("data:video/mp4;base64,AA") is None


def test_a_home_that_does_not_exist_is_a_name() -> None:
    """As in a shell; the search for a user of that name raises."""
    assert local_path("~0/a.png") == Path("~0/a.png")
    assert local_path("~/a.png") == Path.home() / "a.png"
    assert Path(place_of("~0/a.png")) == Path.cwd() / "~0" / "a.png"
