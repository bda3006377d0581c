"""The commands: sylk-server and sylk-chat."""
