"""What may be sent when: declared, reported and learned limits, the circuit, lanes, and what may be in flight.

Decisions on clocks that are passed in; the sender and the session ask them. May import ``_api``.
"""
