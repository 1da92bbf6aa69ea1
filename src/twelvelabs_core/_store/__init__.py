"""What vector stores share in every framework: rows to write (``rows``), search results merged into time ranges
(``moments``), rankings fused (``fusion``).

May import the modules of values only.
"""
