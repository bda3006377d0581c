"""Counts words: call it, say something, and it says how many words that were.

application_map = words:word_counter
"""

from collections.abc import Mapping

from sylk.application import Application
from sylk.session import Invitation


class WordCounter(Application):
    """Answers each message with the number of its words, and of all so far."""

    name = "word_counter"
    _words = 0

    async def handle_invitation(self, invitation: Invitation) -> None:
        """Count until the caller hangs up."""
        if not invitation.offers_chat:
            await invitation.reject(488)
            return
        mine = 0
        async with invitation.accept() as chat:
            async for message in chat:
                count = len(message.text.split())
                mine += count
                self._words += count
                await chat.send(f"{count} words, {mine} so far")
        self.logger.info("%s said %d words", invitation.sender.uri, mine)

    def status(self) -> Mapping[str, float]:
        """Tell the operator how many words there were."""
        return {"words_total": self._words}
