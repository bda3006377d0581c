"""The section of `sylk.ini` about traces."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from sylk.settings import Bytes, Seconds, setting


@dataclass(frozen=True, kw_only=True)
class TraceSettings:
    """Which messages are written to files, for those who look for a fault."""

    section: ClassVar[str] = "Trace"

    trace_sip: tuple[str, ...] = setting(
        ("none",),
        "Whose SIP messages are written from the start to the end of the server: none, all, or a "
        "list of user:alice@example.com, room:lobby and address:192.0.2.0/24; a dialog that has "
        "matched is written to its end. Other servers have this key in [Server]. While the server "
        "runs, sylk-server trace does the same for a time.",
    )
    trace_msrp: tuple[str, ...] = setting(
        ("none",),
        "Whose MSRP frames are written in the same way: none, all, or a list as for trace_sip. "
        "Of a large frame its beginning and its end-line are written.",
    )
    pcap: bool = setting(False, "Whether traces are also written as pcap files for Wireshark.")
    bodies: bool = setting(True, "Whether the bodies of messages are written too.")
    mask_credentials: bool = setting(
        True,
        "Whether asterisks stand for the response in Authorization and Proxy-Authorization: who "
        "has it can guess a weak password at leisure, and traces are given to others.",
    )
    directory: Path | None = setting(
        None, "The folder of the files; none takes traces in spool_dir."
    )
    max_file_size: Bytes = setting(
        10 * 1024**2,
        "How large a file may become. Over it another one is begun.",
        unit="bytes",
        minimum=64 * 1024,
    )
    max_files: int = setting(
        10,
        "How many files are kept of each form. Over it the oldest one is deleted.",
        unit="files",
        minimum=1,
        maximum=1000,
    )
    duration: Seconds = setting(
        3600,
        "How long a trace that sylk-server trace puts on lasts unless it is told otherwise; then "
        "it goes off by itself.",
        unit="seconds",
        minimum=1,
        maximum=7 * 86400,
    )
