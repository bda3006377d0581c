"""Opening MSRP connections; TLS with its certificates is tested in test_msrp_port."""

import pytest
import trio

from sylk.errors import TransportError
from sylk.net.msrp_connector import MsrpConnector

HOST = "127.0.0.1"


async def test_the_first_address_that_answers_is_taken() -> None:
    with trio.fail_after(20):
        (listener,) = await trio.open_tcp_listeners(0, host=HOST)
        (gone,) = await trio.open_tcp_listeners(0, host=HOST)
        port, closed = (one.socket.getsockname()[1] for one in (listener, gone))
        await gone.aclose()
        connector = MsrpConnector(HOST, None, verify=False)
        async with listener:
            stream = await connector.open([(HOST, closed), (HOST, port)], HOST, False)
            assert stream.remote == (HOST, port)
            assert stream.local[0] == HOST
            stream.close()
        with pytest.raises(TransportError, match="refused"):
            await connector.open([(HOST, closed)], HOST, False)


async def test_nowhere_to_go_is_told() -> None:
    connector = MsrpConnector("0.0.0.0", None, verify=False)
    with pytest.raises(TransportError, match="no address for h"):
        await connector.open([], "h", False)
    with pytest.raises(TransportError, match="switched off"):
        await connector.open([(HOST, 1)], "h", True)
