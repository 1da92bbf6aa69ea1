"""What each model takes and gives."""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["MODELS", "Model"]


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
    #: Shortest audio or video.
    least_seconds: float = 0.0
    #: Whether ``media_megabytes`` is for every source, not only for what is sent inside the request.
    limits_every_source: bool = False
    #: Lengths that ``embedding_dimension`` may ask for; empty = the field is refused.
    dimensions: tuple[int, ...] = ()
    #: ``input_type`` values of ``POST /embed-v2``.
    input_types: tuple[str, ...] = ()
    #: ``media_type`` values inside ``multi_input``.
    source_types: tuple[str, ...] = ()
    #: ``input_type`` values of ``POST /embed-v2/tasks``.
    task_types: tuple[str, ...] = ()

    def for_tasks(self, least_seconds: float) -> Model:
        """Return the model with the limits of tasks, which take longer media."""
        longest = 7_200 if self.name == "Marengo-retrieval-2.7" else 14_400
        return replace(
            self, media_seconds=longest, media_megabytes=36, least_seconds=least_seconds, limits_every_source=False
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
            dimensions=(128, 256, 512),
            input_types=("multi_input",),
            source_types=("image", "video", "audio", "document"),
            task_types=("audio", "video", "image", "document"),
        ),
    )
}
