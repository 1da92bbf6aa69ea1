"""Asking the real service what its documentation leaves open: ``python -m twelvelabs_emulator.live``.

``service`` sends requests within a budget, ``samples`` makes what is sent, ``questions`` has one function for each open
point, ``report`` compares the answers with the emulator's settings.
"""
