"""A mixed load against the real server for as long as one says, and what became of the server."""
