"""The settings that checking, routing and embedding share."""

from __future__ import annotations

from dataclasses import dataclass

from .._models import ApiVersion, Kind, Model
from .truncate import CheckedCounter, TokenCounter, Truncate, exceeds, has_no_more_bytes


@dataclass(frozen=True)
class EmbedSettings:
    """The model, and how items are embedded with it.

    Attributes:
        count: counts the tokens of a text.
        keep_assets: leave uploaded files on the server.
        task_timeout: seconds that a task or the processing of an upload may take.
    """

    model: Model
    dimensions: int
    api_version: ApiVersion
    truncate: Truncate
    count: TokenCounter
    keep_assets: bool = False
    task_timeout: float = 3600.0

    @property
    def counter(self) -> TokenCounter:
        """The caller's own function behind :attr:`count`."""
        return self.count.counter if isinstance(self.count, CheckedCounter) else self.count

    @property
    def space(self) -> str:
        """The vector space, for example ``marengo3.0/512``."""
        return self.model.space(self.dimensions)

    def space_of(self, kind: Kind) -> str:
        """The space of one vector for an item of a kind.

        v1 divides audio for marengo3.0 and returns two vectors for each time range, audio and transcription, without
        labels (API page). Their mean does not compare with the audio vector of v2 (cosine 0.81, measured on the
        emulator), so it has another space name.
        """
        mixed = (
            kind == "audio" and self.api_version == "v1" and "transcription" in self.model.segment_options.get(kind, ())
        )
        return f"{self.space}/v1-audio" if mixed else self.space

    def is_short(self, text: str) -> bool:
        """Whether a text is within the limit by its length alone."""
        return has_no_more_bytes(text, self.model.max_text_tokens, self.count)

    def is_over_limit(self, text: str) -> bool:
        """Whether a text has more tokens than the model takes, by :attr:`count`."""
        return exceeds(text, self.model.max_text_tokens, self.count)
