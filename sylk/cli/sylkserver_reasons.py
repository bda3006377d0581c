"""Why settings of SylkServer have no counterpart here, and what to do instead."""

from collections.abc import Mapping

_NO_MEDIA = "there is no audio or video here"
_NO_FILES = "files are messages like others here, and are not kept in a folder"
_NO_WEB = "there is no web server here; for figures see [Metrics]"
_NO_XMPP = "there is no gateway to XMPP here"
_NO_GATEWAY = "there is no WebRTC gateway here"
_NO_TRACE = "there is no such trace here; log_level = debug tells more"

REASONS: Mapping[tuple[str, str], str] = {
    ("Server", "extra_applications_dir"): "applications have another form here: see "
    "docs/applications.md",
    ("Server", "trace_dns"): _NO_TRACE,
    ("Server", "trace_core"): _NO_TRACE,
    ("Server", "trace_notifications"): _NO_TRACE,
    ("Server", "verify_server"): "name the authorities in [TLS] ca_file: then certificates are "
    "checked",
    ("Server", "spool_dir"): "nothing in that folder is of use here: spool_dir is to be another "
    "one, such as /var/lib/sylk",
    ("SIP", "enable_ice"): "MSRP needs no ICE: set advertised_ip, or use a relay (docs/nat.md)",
    ("RTP", "*"): _NO_MEDIA,
    ("WebServer", "*"): _NO_WEB,
    ("ThorNetwork", "*"): "there are no clusters here: each server is one of its own",
    ("Conference", "file_transfer_dir"): _NO_FILES,
    ("Conference", "push_file_transfer"): _NO_FILES,
    ("Conference", "screensharing_images_dir"): "there is no screen sharing here",
    ("Conference", "advertise_xmpp_support"): _NO_XMPP,
    ("Conference", "pstn_access_numbers"): _NO_MEDIA,
    ("Conference", "webrtc_gateway_url"): _NO_GATEWAY,
    ("Conference", "zrtp_auto_verify"): _NO_MEDIA,
    ("Conference", "disable_music_on_hold"): _NO_MEDIA,
}
"""By section and key; `*` is every key of a section. Those of [Conference] hold for rooms too."""
