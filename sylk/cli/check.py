"""The command `sylk-server check`: whether a server could start here and be reached, and the cures.

Nothing is changed, and a server that runs is not disturbed.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import suppress

from sylk.cli.checks.addresses import check_addresses
from sylk.cli.checks.certificates import check_certificates
from sylk.cli.checks.configuration import check_configuration
from sylk.cli.checks.domains import check_domains, domains_of
from sylk.cli.checks.finding import Finding, Level, fail
from sylk.cli.checks.ports import check_ports
from sylk.cli.checks.spool import check_spool
from sylk.config import find_config, read_config
from sylk.errors import ConfigError
from sylk.log import escape

_LEVEL_WIDTH = 4
_SUBJECT_WIDTH = 13


def run(arguments: Sequence[str]) -> int:
    """Run the command and return its exit status: 0, 1 if something fails."""
    options = _make_parser().parse_args(arguments)
    findings = examine(options.config)
    if options.json:
        found = [
            {"level": one.level.value, "subject": one.subject, "text": one.text, "cure": one.cure}
            for one in findings
        ]
        print(json.dumps({"ok": not _fails(findings), "findings": found}, indent=2))
    else:
        with suppress(BrokenPipeError):
            for one in findings:
                print(show(one))
    return 1 if _fails(findings) else 0


def examine(config: str | None) -> list[Finding]:
    """Return all findings about the settings file that is named, or found."""
    try:
        raw = read_config(find_config(config))
    except ConfigError as error:
        return [fail("configuration", str(error), "name another file with --config")]
    findings, sections = check_configuration(raw)
    if sections is None:
        return findings
    domains = domains_of(raw, sections)
    in_spool, running = check_spool(sections.server.spool_dir)
    return [
        *findings,
        *in_spool,
        *check_certificates(sections, domains),
        *check_ports(sections, running),
        *check_addresses(sections),
        *check_domains(domains, sections),
    ]


def show(finding: Finding) -> str:
    """Return the line of one finding."""
    cure = f"; {finding.cure}" if finding.cure else ""
    start = f"{finding.level.value:<{_LEVEL_WIDTH}}  {finding.subject:<{_SUBJECT_WIDTH}}"
    return f"{start}  {escape(finding.text)}{escape(cure)}"


def _fails(findings: Sequence[Finding]) -> bool:
    return any(one.level is Level.FAIL for one in findings)


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sylk-server check",
        description="Tell whether a server could start here and be reached, and what mends it if "
        "not. Nothing is changed. The exit status is 1 if something fails.",
    )
    parser.add_argument("--json", action="store_true", help="write JSON, for programs")
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="settings file; default: ./sylk.ini, else /etc/sylk/sylk.ini, else defaults",
    )
    return parser


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
