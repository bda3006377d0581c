"""The dialogs of a user agent, and what each message means to them (RFC 3261 section 12)."""

from sylk.sip.dialog import TARGET_REFRESH_METHODS, Dialog, DialogKey, DialogState
from sylk.sip.message import Request, Response


class DialogRegistry:
    """Finds dialogs and keeps them up to date; an idle dialog is one entry of a dictionary."""

    def __init__(self) -> None:
        self._dialogs: dict[DialogKey, Dialog] = {}

    def __len__(self) -> int:
        return len(self._dialogs)

    def add(self, dialog: Dialog) -> None:
        """Register a dialog under its key."""
        self._dialogs[dialog.key] = dialog

    def remove(self, dialog: Dialog) -> None:
        """Forget a dialog; it is fine if it was not there."""
        if self._dialogs.get(dialog.key) is dialog:
            del self._dialogs[dialog.key]

    def find_by_request(self, request: Request) -> Dialog | None:
        """Return the dialog in which the peer sent a request."""
        key = request.call_id, request.to.tag or "", request.from_.tag or ""
        return self._dialogs.get(key)

    def find_by_response(self, response: Response) -> Dialog | None:
        """Return the dialog that a response of the peer belongs to."""
        key = response.call_id, response.from_.tag or "", response.to.tag or ""
        return self._dialogs.get(key)

    def handle_reply(self, request: Request, response: Response, to_tag: str) -> None:
        """Take note of our response, with this To tag, to a request of the peer."""
        key = request.call_id, to_tag, request.from_.tag or ""
        self._handle(self._dialogs.get(key), request, response, target_from=request)

    def handle_response(self, request: Request, response: Response) -> None:
        """Take note of the peer's response to a request of ours."""
        dialog = self.find_by_response(response)
        self._handle(dialog, request, response, target_from=response)

    def _handle(
        self,
        dialog: Dialog | None,
        request: Request,
        response: Response,
        *,
        target_from: Request | Response,
    ) -> None:
        if dialog is None:
            return
        if request.to.tag is None:
            # The request that made the dialog: inside of it there is always a To tag.
            dialog.handle_response(response)
            if dialog.state is DialogState.TERMINATED:
                self.remove(dialog)
        elif 200 <= response.status < 300 and request.method in TARGET_REFRESH_METHODS:
            dialog.refresh_target(target_from)
