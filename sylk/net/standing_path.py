"""A path through somebody else's relay for all sessions of a server (RFC 4976 section 5).

Its relays stand before the URI of each session in SDP, and one connection to the first of them
carries all that goes over it. When the connection or the path is lost, another path is asked for;
until there is one, new sessions have the paths that they would have without a relay. Those under
way cannot move: they end with the connection, or when the relay forgets the path.
"""

import logging

import trio

from sylk.errors import TransportError
from sylk.msrp.uri import MsrpURI, Path
from sylk.net.msrp_port import MsrpPort
from sylk.net.relay_path import RelayAccount, RelayPath

logger = logging.getLogger("sylk.relay")

FIRST_WAIT = 1.0
LONGEST_WAIT = 60.0
"""Seconds between two attempts; from the first on they double."""


class StandingPath:
    """Keeps one path for as long as `run` runs."""

    def __init__(self, port: MsrpPort, account: RelayAccount) -> None:
        self._port = port
        self._account = account
        self._wait = FIRST_WAIT
        self.relays: Path = ()
        """The relays, the farthest from us first; empty while there is no path."""

    def leads(self, *, secure: bool) -> bool:
        """Tell whether there is a path now, and over TLS (or in clear) from end to end."""
        return bool(self.relays) and self.relays[0].secure == secure == self._account.uri.secure

    async def run(self) -> None:
        """Ask for the path, and again whenever it is lost, until cancelled."""
        while True:
            try:
                path = await self._reserve()
            except TransportError as error:
                logger.warning("no path: %s; the next attempt is in %g s", error, self._wait)
                await trio.sleep(self._wait)
                self._wait = min(2 * self._wait, LONGEST_WAIT)
                continue
            try:
                await self._stand(path)
            finally:
                self.relays = ()
                self._port.give_back(path)

    async def _reserve(self) -> RelayPath:
        relay = self._account.uri
        host, port = self._port.path_address(self._port.settings.host, secure=relay.secure)
        # No session has this URI: it only tells the relay that somebody is here.
        own = MsrpURI(relay.secure, None, host, port, self._port.registry.new_session_id())
        with trio.move_on_after(self._port.settings.establish_timeout):
            return await self._port.reserve(self._account, own)
        raise TransportError(f"the relay {relay.host} does not answer")

    async def _stand(self, path: RelayPath) -> None:
        self.relays = path.path[:-1]
        relay = self._account.uri.host
        logger.info("sessions go through the relay %s", relay)
        begin = trio.current_time()
        await path.lost.wait()
        logger.warning("the path through the relay %s is lost: %s", relay, path.failure)
        if trio.current_time() - begin > self._wait:
            self._wait = FIRST_WAIT
        else:
            # A relay that takes us in only to throw us out is not asked all the time.
            await trio.sleep(self._wait)
            self._wait = min(2 * self._wait, LONGEST_WAIT)
