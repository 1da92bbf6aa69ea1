"""What is kept between calls, in the user's store or in memory: results by key (``cache``), ids of uploads and tasks
(``journal``), vectors by id (``vectors``), the labels written beside them (``labels``), and what both share (``kept``).

May import ``_media``, ``_net.loop``, ``_net.forks`` and the modules of values.
"""
