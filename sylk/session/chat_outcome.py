"""What an event of MSRP says about a message of ours."""

from sylk.msrp import events

_OK = 200

Outcome = tuple[bytes, int, str]
"""The Message-ID, or the id of a fan-out, with the status and the reason."""


def outcome_of(event: events.SessionEvent) -> Outcome | None:
    """Return what became of a message, None when that is not known yet or was about none.

    Success counts when the message was taken, and again when all of it is reported as delivered.
    """
    match event:
        case events.MessageAccepted(message_id) | events.MessageReported(message_id):
            return message_id, _OK, ""
        case events.ReportReceived(message_id, status, _, comment) if status != _OK:
            return message_id, status, _text(comment)
        case events.MessageFailed(message_id, status, comment):
            return message_id, status, _text(comment)
        case events.FanOutAnswered(identifier, status, comment):
            return identifier, status, _text(comment)
        case _:
            return None


def _text(comment: bytes) -> str:
    return comment.decode("utf-8", "replace")
