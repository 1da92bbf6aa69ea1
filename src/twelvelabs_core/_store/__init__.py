"""What vector stores share in every framework: rows to write (``rows``), their ids (``identity``) and metadata
(``metadata``); what a retriever searches and returns (``search``): results ordered (``order``), rankings fused
(``fusion``), neighbours merged into time ranges (``moments``).

May import the modules of values only.
"""
