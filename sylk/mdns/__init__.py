"""The multicast DNS engine: who is in the neighbourhood, and who asks (RFC 6762, RFC 6763).

`Responder` publishes, `Browser` finds; each is for one link, and neither has I/O, a clock or random
numbers of its own.
"""
