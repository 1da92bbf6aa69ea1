"""One item: checked, sent by a request or a task, read; one vector or many segments."""
