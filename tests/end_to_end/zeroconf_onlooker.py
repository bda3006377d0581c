"""Another implementation of multicast DNS looks, and tells in lines what it sees.

Run as a program on a machine of the LAN, with a kind of service.
"""

import sys

from zeroconf import ServiceBrowser, ServiceStateChange, Zeroconf


def main() -> None:
    """Tell each change until the standard input ends or somebody ends us."""
    kind = f"{sys.argv[1]}.local."
    zeroconf = Zeroconf()

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
