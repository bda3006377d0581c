"""Transports on trio: sockets, queues and clocks, and no protocol decision."""
