"""Chat with your videos, with LangChain: find moments, and show them to a chat model. See docs/chat.md.

Set TWELVELABS_API_KEY; or try it without a key:

python -m twelvelabs_emulator          # in another terminal; then set the two variables it prints
"""

import base64
import io
from pathlib import Path
from typing import Any

from langchain_core.documents import Document
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import RunnableLambda
from langchain_core.vectorstores import InMemoryVectorStore
from PIL import Image

import sample_media
from langchain_twelvelabs import TwelveLabsEmbeddings, TwelveLabsMediaLoader, TwelveLabsRetriever, moment_blocks


class ColorModel(GenericFakeChatModel):
    """Stands in for a model that sees: answers with the mean color of each image that it is sent."""

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        blocks = messages[-1].content_blocks
        colors = [mean_color(block["base64"]) for block in blocks if block["type"] == "image"]
        heard = sum(block["type"] == "audio" for block in blocks)
        answer = f"I see {', '.join(colors)}, and got {heard} piece(s) of audio."
        return ChatResult(generations=[ChatGeneration(message=AIMessage(answer))])


def mean_color(image: str) -> str:
    """The mean color of an image in base64, as a CSS color."""
    pixel = Image.open(io.BytesIO(base64.b64decode(image))).convert("RGB").resize((1, 1)).tobytes()
    return f"#{pixel.hex()}"


def ask(found: dict[str, Any]) -> list[HumanMessage]:
    """The question and what was found, as one message."""
    moments: list[Document] = found["moments"]
    blocks = [block for moment in moments for block in moment_blocks(moment, frames=2)]
    return [HumanMessage([{"type": "text", "text": found["question"]}, *blocks])]


sample_media.make()
embeddings = TwelveLabsEmbeddings(model="marengo3.0")
store = InMemoryVectorStore(embeddings)
store.add_documents(TwelveLabsMediaLoader(Path(__file__).parent / "media", embeddings, glob="*.mp4").load())
retriever = TwelveLabsRetriever(vectorstore=store, embeddings=embeddings, k=2, merge_gap=1)

# The line to change: init_chat_model("google_genai:gemini-2.5-flash"), which takes images and audio. For a model that
# takes images alone, moment_blocks(moment, audio=False).
model = ColorModel(messages=iter(()))

question = "an orange and purple sunset over the water"
moments = retriever.invoke(question)
chain = RunnableLambda(ask) | model
for moment in moments:
    print("Found:", moment.metadata["file_name"], moment.metadata["fragment"])
print("Answer:", chain.invoke({"question": question, "moments": moments}).content)
