"""The demo: images, video, audio and text found by one another, through LangChain and through LlamaIndex.

Read `langchain_search` and `llama_index_search` first: they are what an application would hold. `media` finds
the files, `queries` says what is asked, `service` decides who answers, `report_text` and `report_html` show it.
"""
