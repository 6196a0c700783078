"""A service for registries' tests. Not a test file."""

import txremote


class Shop(txremote.Service):
    """Something to find."""

    @txremote.exposed
    def price(self, count: int) -> int:
        """A number."""
        return count * 3
