"""What an operation takes in besides text, and how it says no: uploads and Vtiger's error answers.

The codes and messages are those measured on Vtiger 8.4, its spelling included.
"""

from __future__ import annotations

from attrs import frozen

__all__ = ["Fault", "Upload"]


class Fault(Exception):  # noqa: N818 - an answer of Vtiger, not an error of the sandbox
    """Vtiger's error answer.

    Attributes:
        code: The error code; the integer 0 for duplicates, as on the wire.
        message: The message, which is also the HTTP reason phrase.
        status: The HTTP status.
        keeps: Whether what was written before the error stays written, as after a PHP error
            outside a transaction.
        is_page: Whether PHP dies of it: the body is the message alone, of type text/html.
    """

    def __init__(
        self,
        code: str | int,
        message: str,
        status: int = 400,
        *,
        keeps: bool = False,
        is_page: bool = False,
    ) -> None:
        super().__init__(code, message, status)
        self.keeps = keeps
        self.is_page = is_page
        self.code = code
        self.message = message
        self.status = status


@frozen
class Upload:
    """One file part of a multipart request.

    Attributes:
        name: The file's name.
        content_type: Its MIME type.
        content: Its bytes.
    """

    name: str
    content_type: str
    content: bytes
