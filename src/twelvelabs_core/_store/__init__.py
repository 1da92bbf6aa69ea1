"""What vector stores share in every framework: rows to write (``rows``), their ids (``identity``) and metadata
(``metadata``); search results ordered (``order``), merged into time ranges (``moments``), rankings fused (``fusion``).

May import the modules of values only.
"""
