"""What the official SDK's example ``embed_legacy.py`` does, with this package: the first version of the API.

python examples/moving_from_the_sdk/embed_legacy.py image.png audio.mp3 video.mp4
"""

from __future__ import annotations

import sys

from twelvelabs_core import Audio, EmbeddingClient, Image, Parts, Segment, SegmentOptions, Task, Video

WALK = "man walking across the street"
VISUAL = SegmentOptions(embedding_option="visual")


def show(task: Task) -> None:
    """Print the state of a task."""
    print(f"  status {task.status}")


def main(client: EmbeddingClient, image: str, audio: str, video: str) -> tuple[Parts, list[Segment]]:
    """Embed a text, an image and audio in one request, and a video by a task."""
    for task in client.tasks():
        print(f"task {task.id}: {task.status}, {task.created_at}")
    parts = client.embed_parts(text=WALK, image=Image(image), audio=Audio(audio))
    print(parts.text, parts.image, *parts.audio)
    segments = client.embed_segments(Video(video), VISUAL, on_status=show)
    print(*segments, sep="\n")
    return parts, segments


if __name__ == "__main__":
    main(EmbeddingClient("marengo3.0", api_version="v1"), *sys.argv[1:])
