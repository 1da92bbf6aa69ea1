"""Find images by a text, and a text by an image, with LangChain. Set TWELVELABS_API_KEY; or try it without a key:

python -m twelvelabs_emulator          # in another terminal; then set the two variables it prints
"""

from pathlib import Path

from chromadb.config import Settings
from langchain_chroma import Chroma

import sample_media
from langchain_twelvelabs import TwelveLabsEmbeddings

sample_media.make()
images = [str(path) for path in sorted((Path(__file__).parent / "media").glob("*.png"))]
embeddings = TwelveLabsEmbeddings(model="marengo3.0")
# Otherwise Chroma reports its use to its developers.
quiet = Settings(anonymized_telemetry=False)

store = Chroma("quickstart", embeddings, client_settings=quiet, collection_metadata={"hnsw:space": "cosine"})
store.add_images(uris=images, metadatas=[{"file": Path(path).name, "kind": "image"} for path in images])
texts = ["A thin moon in a black sky.", "Bread on a red and white checked cloth."]
store.add_texts(texts, metadatas=[{"kind": "text"} for _ in texts])

found = store.similarity_search("an orange and purple sunset", k=2, filter={"kind": "image"})
print("Images by text:", [document.metadata["file"] for document in found])
picnic = next(path for path in images if path.endswith("picnic-cloth.png"))
print("Text by image: ", store.similarity_search_by_image(picnic, k=1, filter={"kind": "text"})[0].page_content)
