"""What the official SDK's example ``embed.py`` does, with this package.

python examples/moving_from_the_sdk/embed.py image.png audio.mp3 video.mp4
"""

from __future__ import annotations

import sys

from twelvelabs_core import Audio, EmbeddingClient, Image, Segment, SegmentOptions, Video

WALK = "man walking across the street"
WHOLE_TOO = SegmentOptions(embedding_scope=["clip", "asset"])  # the API's own default


def main(client: EmbeddingClient, image: str, audio: str, video: str) -> list[list[Segment]]:
    """Embed a text and files; the files may be paths or URLs, and as long as the service takes."""
    for task in client.tasks():
        print(f"task {task.id}: {task.status}, {task.created_at}")
    for item in (WALK, Image(image)):
        print(client.embed(item))
    found = [client.embed_segments(media, WHOLE_TOO) for media in (Audio(audio), Video(video))]
    for segment in (segment for segments in found for segment in segments):
        print(segment)
    return found


if __name__ == "__main__":
    main(EmbeddingClient("marengo3.0"), *sys.argv[1:])
