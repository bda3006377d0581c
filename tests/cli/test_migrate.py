"""The settings of a SylkServer become ours, and what cannot is told."""

from pathlib import Path

import pytest

from sylk.cli.migrate import Migration, migrate
from sylk.config import parse_config
from sylk.errors import ConfigError
from sylk.server_config import build_config

CONFIG = """\
; a server in the field
[Server]
default_application = conference
application_map = 123:conference, echo:echo, 456:playback
disabled_applications = ircconference, xmppgateway
trace_dir = /var/log/sylkserver
trace_sip = True
trace_msrp = False
trace_dns = True
log_level = INFO
ca_file = /etc/sylkserver/tls/ca.crt
certificate = /etc/sylkserver/tls/default.crt
verify_server = False
spool_dir = /var/spool/sylkserver

[SIP]
local_ip = 127.0.0.1
local_udp_port = 5060
local_tcp_port = 5060
local_tls_port =
advertised_ip = 192.0.2.9
outbound_proxy = proxy.example.com:5060;transport=tcp
trusted_peers = 192.0.2.0/24, 198.51.100.7
enable_ice = False

[MSRP]
use_tls = True

[RTP]
audio_codecs = opus,G722
timeout = 30

[WebServer]
local_port = 10888
"""

CONFERENCE = """\
[Conference]
history_size = 50
access_policy = allow,deny
allow = all
deny = mallory@example.com, evil.example
file_transfer_dir = /var/spool/sylkserver/files

[team@conference.example.com]
access_policy = deny , allow
allow = example.com
deny = *
zrtp_auto_verify = True
"""


def migrated(folder: Path, config: str = "", conference: str = "") -> Migration:
    if config:
        (folder / "config.ini").write_text(config)
    if conference:
        (folder / "conference.ini").write_text(conference)
    return migrate(folder)


def test_what_is_the_same_here_goes_on(tmp_path: Path) -> None:
    sections = migrated(tmp_path, CONFIG, CONFERENCE).sections
    assert sections["Server"] == {
        "default_application": "conference",
        "application_map": "123:conference, echo:echo",
        "log_level": "info",
    }
    assert sections["Trace"] == {"directory": "/var/log/sylkserver", "trace_sip": "all"}
    assert sections["TLS"] == {"certificate": "/etc/sylkserver/tls/default.crt"}
    assert sections["SIP"] == {
        "local_ip": "127.0.0.1",
        "local_udp_port": "5060",
        "local_tcp_port": "5060",
        "local_tls_port": "none",
        "advertised_ip": "192.0.2.9",
        "outbound_proxy": "proxy.example.com:5060;transport=tcp",
        "trusted_peers": "192.0.2.0/24, 198.51.100.7",
    }
    assert sections["MSRP"] == {"local_ip": "127.0.0.1", "use_tls": "yes"}
    assert sections["Conference"] == {
        "history_replay": "50",
        "access_policy": "allow, deny",
        "allow": "all",
        "deny": "mallory@example.com, evil.example",
    }
    assert sections["team@conference.example.com"] == {
        "access_policy": "deny, allow",
        "allow": "example.com",
        "deny": "all",
    }


def test_a_server_takes_what_is_made(tmp_path: Path) -> None:
    migration = migrated(tmp_path, CONFIG, CONFERENCE)
    # Of another machine, and of the ports of this one.
    del migration.sections["TLS"]
    migration.sections["Server"]["spool_dir"] = str(tmp_path)
    raw = parse_config(migration.render())
    config = build_config(raw)
    assert config.sections.sip.advertised_ip == "192.0.2.9"


def test_what_has_no_counterpart_is_told_with_its_line_and_the_reason(tmp_path: Path) -> None:
    remarks = migrated(tmp_path, CONFIG, CONFERENCE).remarks
    for told in (
        "config.ini:4: [Server] application_map: there is no such application here: 456:playback",
        "config.ini:9: [Server] trace_dns: there is no such trace here; log_level = debug tells",
        "config.ini:11: [Server] ca_file: ca_file = /etc/sylkserver/tls/ca.crt is taken over only",
        "config.ini:13: [Server] verify_server: name the authorities in [TLS] ca_file",
        "config.ini:14: [Server] spool_dir: nothing in that folder is of use here",
        "config.ini:24: [SIP] enable_ice: MSRP needs no ICE",
        "config.ini:30: [RTP] audio_codecs: there is no audio or video here",
        "config.ini:31: [RTP] timeout: there is no audio or video here",
        "config.ini:34: [WebServer] local_port: there is no web server here",
        "conference.ini:6: [Conference] file_transfer_dir: files are messages like others here",
        "conference.ini:12: [team@conference.example.com] zrtp_auto_verify: there is no audio",
    ):
        assert sum(line.startswith(told) for line in remarks) == 1, told
    assert len(remarks) == 11


def test_authorities_go_on_where_certificates_are_checked(tmp_path: Path) -> None:
    migration = migrated(tmp_path, "[Server]\nca_file = ca.pem\nverify_server = yes\n")
    assert migration.sections == {"TLS": {"ca_file": "ca.pem"}}
    assert migration.remarks == []


def test_a_value_that_this_server_refuses_is_told(tmp_path: Path) -> None:
    migration = migrated(tmp_path, "[SIP]\ntrusted_peers = everybody\nlocal_ip =\n")
    assert migration.sections == {}
    (remark,) = migration.remarks
    assert remark.startswith("config.ini:2: [SIP] trusted_peers: trusted_peers must be any, none")


@pytest.mark.parametrize(("there", "here"), [("True", "auto"), ("False", "no")])
def test_bonjour_is_as_it_was(tmp_path: Path, there: str, here: str) -> None:
    migration = migrated(tmp_path, f"[Server]\nenable_bonjour = {there}\n")
    assert migration.sections == {"Server": {"bonjour": here}}
    assert migration.remarks == []


def test_a_folder_without_settings_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no config\.ini or conference\.ini here"):
        migrate(tmp_path)
