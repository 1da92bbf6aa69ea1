"""The demo: search images, video, audio and text by text or media, with LangChain and with LlamaIndex.

Read `langchain_search` and `llama_index_search` first: an application would have code like theirs. `media` finds the
files, `queries` has the queries, `service` chooses TwelveLabs or the emulator, `report_text` and `report_html` show the
answers.
"""
