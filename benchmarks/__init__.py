"""How fast, how frugal and how careful: each figure beside its peers', from the same run against the same server."""
