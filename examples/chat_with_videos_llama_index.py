"""Chat with your videos, with LlamaIndex: find moments, and show them to a language model. See docs/chat.md.

Set TWELVELABS_API_KEY; or try it without a key:

python -m twelvelabs_emulator          # in another terminal; then set the two variables it prints
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llama_index.core import VectorStoreIndex
from llama_index.core.llms import AudioBlock, ChatMessage, ChatResponse, ImageBlock, MockLLM, TextBlock
from PIL import Image

import sample_media
from llama_index_twelvelabs import (
    TwelveLabsEmbedding,
    TwelveLabsMediaEmbedder,
    TwelveLabsMediaReader,
    TwelveLabsMomentRetriever,
    moment_blocks,
)


class ColorModel(MockLLM):
    """Stands in for a model that sees: answers with the mean color of each image that it is sent."""

    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Answer the last message."""
        blocks = messages[-1].blocks
        colors = [mean_color(block) for block in blocks if isinstance(block, ImageBlock)]
        heard = sum(isinstance(block, AudioBlock) for block in blocks)
        answer = f"I see {', '.join(colors)}, and got {heard} piece(s) of audio."
        return ChatResponse(message=ChatMessage(answer, role="assistant"))


def mean_color(block: ImageBlock) -> str:
    """The mean color of an image, as a CSS color."""
    pixel = Image.open(io.BytesIO(block.resolve_image().read())).convert("RGB").resize((1, 1)).tobytes()
    return f"#{pixel.hex()}"


sample_media.make()
videos = [str(path) for path in sorted((Path(__file__).parent / "media").glob("*.mp4"))]
model = TwelveLabsEmbedding(model_name="marengo3.0")
nodes = TwelveLabsMediaEmbedder(embed_model=model)(TwelveLabsMediaReader().load_data(videos))
retriever = TwelveLabsMomentRetriever(VectorStoreIndex(nodes, embed_model=model), model, similarity_top_k=2, gap=1)

# The line to change: GoogleGenAI("gemini-2.5-flash"), which takes images and audio. For a model that takes images
# alone, moment_blocks(moment, audio=False).
llm = ColorModel(max_tokens=256)

question = "an orange and purple sunset over the water"
moments = retriever.retrieve(question)
blocks = [block for moment in moments for block in moment_blocks(moment, frames=2)]
for moment in moments:
    print("Found:", moment.node.metadata["file_name"], moment.node.metadata["fragment"])
print("Answer:", llm.chat([ChatMessage(blocks=[TextBlock(text=question), *blocks])]).message.content)
