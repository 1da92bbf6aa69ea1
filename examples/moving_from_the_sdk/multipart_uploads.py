"""What the official SDK's example ``multipart_uploads.py`` does, with this package: files of any size are uploaded, in
parts where they are large, one or several at a time; and what was uploaded is used, listed and deleted.

python examples/moving_from_the_sdk/multipart_uploads.py first.mp4 second.mp4
"""

from __future__ import annotations

import asyncio
import sys

from twelvelabs_core import Asset, EmbeddingClient, TwelveLabsError, UploadProgress, Video


def show(progress: UploadProgress) -> None:
    """Print how far an upload is."""
    print(f"{progress.percent:.0f} % ({progress.parts} of {progress.total_parts} parts), {progress.status}")


async def upload_all(client: EmbeddingClient, paths: list[str]) -> list[Asset]:
    """Upload files at the same time. With ``cache=``, a run that is killed is continued by the next."""
    found = await asyncio.gather(*(client.aupload(path, progress=show) for path in paths), return_exceptions=True)
    for path, asset in zip(paths, found, strict=True):
        print(path, asset)
    return [asset for asset in found if isinstance(asset, Asset)]


def main(client: EmbeddingClient, *paths: str) -> list[list[float]]:
    """Upload, embed, list and delete."""
    try:
        print(client.upload(paths[0], progress=show))
    except TwelveLabsError as error:
        print(f"failed: {error}")
    uploaded = asyncio.run(upload_all(client, list(paths)))
    vectors = [embedding.vector for embedding in client.embed_many([Video(asset) for asset in uploaded])]
    for asset in client.assets(kind="video"):
        print(asset.id, asset.status, asset.filename)
    for asset in uploaded:
        client.delete_asset(asset)
    return vectors


if __name__ == "__main__":
    main(EmbeddingClient("marengo3.0", cache="uploads.sqlite"), *sys.argv[1:])
