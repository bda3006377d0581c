"""Traces of messages: whose are written, in what form, to which files, and from when to when."""
