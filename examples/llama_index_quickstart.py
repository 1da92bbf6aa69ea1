"""Find images by a text and by an image, with LlamaIndex. Set TWELVELABS_API_KEY; or try it without a key:

python -m twelvelabs_emulator          # in another terminal; then set the two variables it prints
"""

from pathlib import Path

from llama_index.core.indices import MultiModalVectorStoreIndex
from llama_index.core.schema import BaseNode, ImageNode, TextNode

import sample_media
from llama_index_twelvelabs import TwelveLabsEmbedding

sample_media.make()
folder = Path(__file__).parent / "media"
model = TwelveLabsEmbedding(model_name="marengo3.0")

nodes: list[BaseNode] = [TextNode(text="A thin moon in a black sky."), TextNode(text="Bread on a red checked cloth.")]
nodes += [ImageNode(image_path=str(path), metadata={"file": path.name}) for path in sorted(folder.glob("*.png"))]
index = MultiModalVectorStoreIndex(nodes, embed_model=model, image_embed_model=model)

retriever = index.as_retriever(similarity_top_k=1, image_similarity_top_k=2)
print("Text by text:   ", retriever.text_retrieve("the night sky, black")[0].node.get_content())
print("Images by text: ", [n.metadata["file"] for n in retriever.text_to_image_retrieve("an orange, purple sunset")])
sunset = str(folder / "sunset.png")
print("Images by image:", [n.metadata["file"] for n in retriever.image_to_image_retrieve(sunset)])
