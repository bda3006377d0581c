"""The conference application: ad-hoc chat rooms."""

from sylk_conference.application import Conference

__all__ = ["Conference"]
