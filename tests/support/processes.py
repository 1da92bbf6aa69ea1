"""Options for tests in processes of their own."""

#: Python 3.12 and later warn of a fork beside threads. That such a fork works is what the tests show.
QUIET_FORK = ("-W", "ignore:This process:DeprecationWarning")
