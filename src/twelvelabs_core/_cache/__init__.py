"""What is kept between calls, in the user's store or in memory: results by key (``cache``), ids of uploads and tasks
(``journal``), vectors by id (``vectors``) and the labels written beside them (``labels``).

May import ``_media``, ``_net.loop`` and the modules of values.
"""
