"""Write strategies: an endpoint of a tenant's own that creates many records in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from vtiger_async.bulk.crm import Crm
from vtiger_async.errors import ApiError
from vtiger_async.models.records import Record

__all__ = ["MultiWrite"]


class MultiWrite(Protocol):
    """Creates several records of one module in one call.

    Vtiger has no such operation, but a tenant can build one with API Designer. The call goes
    through `crm.call("POST", "/restapi/vtap/api/...", ...)`. Where its reply is lost, all records
    of the call are unknown, and settled like single ones. Where the endpoint refuses the call as a
    whole, it must have created none of them.

    ```python
    class Orders:
        size = 50

        async def __call__(self, crm, module, elements):
            made = await crm.call("POST", "/restapi/vtap/api/many", {"elements": elements})
            return [Record.of(one, module) for one in made]
    ```
    """

    @property
    def size(self) -> int:
        """The most records of one call."""
        ...

    async def __call__(
        self, crm: Crm, module: str, elements: Sequence[Mapping[str, Any]]
    ) -> Sequence[Record | ApiError]:
        """Create records, and return for each in order the record as stored, or Vtiger's refusal.

        Args:
            crm: The client to call with.
            module: The module.
            elements: The fields of each record, as JSON has them.

        Raises:
            VtigerError: The call failed as a whole.
        """
        ...
