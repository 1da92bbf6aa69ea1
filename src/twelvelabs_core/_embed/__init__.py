"""The work: check, truncate, cache, upload, wait for tasks, embed, batch, stream, plan."""
