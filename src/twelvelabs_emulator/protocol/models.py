"""The models: their dimensions, limits and accepted inputs."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Model:
    """One model's limits. Lengths in tokens, sides in pixels, sizes in megabytes, times in seconds."""

    name: str
    dimension: int
    text_tokens: int
    image_side: int
    image_megabytes: int
    #: Longest audio or video of a synchronous request.
    media_seconds: float
    #: Largest audio or video given as base64 (marengo3.5: any source, given in any way).
    media_megabytes: int
    #: Longest audio or video of a task.
    task_seconds: float = 14_400
    #: Shortest audio or video.
    least_seconds: float = 0.0
    #: Whether ``media_megabytes`` limits every source, not only what is sent inside the request.
    limits_every_source: bool = False
    #: Whether v1 obeys ``text_truncate``; later models accept the field and ignore it.
    obeys_text_truncate: bool = False
    #: Name of the visual option in v1 tasks.
    visual_option: str = "visual"
    #: Whether audio and video have ``transcription`` vectors.
    transcribes: bool = True
    #: Accepted values of ``embedding_dimension``; empty = the field is refused.
    dimensions: tuple[int, ...] = ()
    #: ``input_type`` values of ``POST /embed-v2``.
    input_types: tuple[str, ...] = ()
    #: ``media_type`` values inside ``multi_input``.
    source_types: tuple[str, ...] = ()
    #: ``input_type`` values of ``POST /embed-v2/tasks``.
    task_types: tuple[str, ...] = ()

    def for_tasks(self, least_seconds: float) -> Model:
        """Return the model with the limits of tasks, which accept longer media."""
        return replace(
            self,
            media_seconds=self.task_seconds,
            media_megabytes=36,
            least_seconds=least_seconds,
            limits_every_source=False,
        )


MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        Model(
            "Marengo-retrieval-2.7",
            dimension=1024,
            text_tokens=77,
            image_side=64,
            image_megabytes=5,
            media_seconds=600,
            media_megabytes=36,
            task_seconds=7_200,
            obeys_text_truncate=True,
            visual_option="visual-text",
            transcribes=False,
        ),
        Model(
            "marengo3.0",
            dimension=512,
            text_tokens=500,
            image_side=128,
            image_megabytes=32,
            media_seconds=600,
            media_megabytes=36,
            input_types=("text", "image", "text_image", "audio", "video", "multi_input"),
            source_types=("image",),
            task_types=("audio", "video"),
        ),
        Model(
            "marengo3.5",
            dimension=512,
            text_tokens=2000,
            image_side=128,
            image_megabytes=32,
            media_seconds=30,
            media_megabytes=32,
            limits_every_source=True,
            transcribes=False,
            dimensions=(128, 256, 512),
            input_types=("multi_input",),
            source_types=("image", "video", "audio", "document"),
            task_types=("audio", "video", "image", "document"),
        ),
    )
}
