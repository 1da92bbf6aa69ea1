"""What a language model can look at and listen to: frames, audio and clips of a found moment. Decoded with PyAV.

``times`` decides when and how large, and does no I/O; ``moment`` says which file and range are meant; ``container``
opens a file, ``remote`` reads it from a URL; ``frames``, ``audio`` and ``cut`` decode and copy; ``parts`` makes of one
hit what both frameworks turn into their content blocks.

May import ``_media``, ``_store``, ``_net.forks`` and the modules of values.
"""
