"""A small RAG application: it answers questions about a folder of notes and photos, and names what it has used."""

from __future__ import annotations

from pathlib import Path

from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.vectorstores import InMemoryVectorStore

from langchain_twelvelabs import TwelveLabsEmbeddings, TwelveLabsMediaLoader

PROMPT = "Answer from these notes and photos alone, or say that you do not know.\n\n{context}\n\nQuestion: {question}"


class Library:
    """A folder that can be asked. Key and address come from the environment, as in production."""

    def __init__(self, folder: Path, llm: BaseChatModel) -> None:
        self._llm = llm
        embeddings = TwelveLabsEmbeddings()
        self._store = InMemoryVectorStore(embeddings)
        notes = [Document(note.read_text("utf-8"), metadata={"source": str(note)}) for note in folder.glob("*.txt")]
        photos = TwelveLabsMediaLoader(folder, embeddings, suffixes=[".png", ".jpg"]).load()
        self._store.add_documents([*notes, *photos])

    def ask(self, question: str) -> tuple[str, list[str]]:
        """The answer, and the names of the two files it was made from, the nearest first."""
        found = self._store.similarity_search(question, k=2)
        context = "\n".join(f"{document.metadata['source']}: {document.page_content}" for document in found)
        answer = self._llm.invoke(PROMPT.format(context=context, question=question))
        return answer.text, [Path(document.metadata["source"]).name for document in found]
