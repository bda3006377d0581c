"""Another implementation of multicast DNS looks, and tells in lines what it sees.

Run as a program on a machine of the LAN: KIND, and maybe PUBLISH and the label, address and port of
what it is to publish first.
"""

import socket
import sys

from zeroconf import ServiceBrowser, ServiceInfo, ServiceStateChange, Zeroconf


def main() -> None:
    """Tell each change until the standard input ends or somebody ends us."""
    kind = f"{sys.argv[1]}.local."
    zeroconf = Zeroconf()
    if len(sys.argv) > 2:
        label, address, port = sys.argv[3:]
        info = ServiceInfo(
            kind,
            f"{label}.{kind}",
            addresses=[socket.inet_aton(address)],
            port=int(port),
            properties={"name": "Other"},
            server=f"other-{port}.local.",
        )
        zeroconf.register_service(info)
        print(f"published {info.name}")

    def tell(
        zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange
    ) -> None:
        info = zeroconf.get_service_info(service_type, name)
        pairs = {} if info is None else info.decoded_properties
        note, shown = pairs.get("note"), pairs.get("name")
        print(f"{state_change.name} {name.removesuffix('.' + kind)} | {shown} | {note}")

    browser = ServiceBrowser(zeroconf, kind, handlers=[tell])
    print("looking")
    browser.join()


if __name__ == "__main__":
    main()
