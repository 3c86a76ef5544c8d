"""Signed download URLs, in pages, renewed when they have expired."""

import threading
from collections.abc import Sequence

from modelberth.content.collections import Family
from modelberth.transfer.answers import unexpected
from modelberth.transfer.registry_client import RegistryClient


class UrlPages:
    """Signed download URLs, asked for in pages when the first of a page is needed, and again when they have expired.

    Args:
        client: the registry.
        digest: of the tree.
        objects: the numbers of all objects that will be needed, in the order in which they will be.
        family: whose content it is asked for as.
    """

    PAGE = 200

    def __init__(
        self, client: RegistryClient, digest: str, objects: Sequence[int], *, family: Family = "models"
    ) -> None:
        self._client = client
        self._digest = digest
        self._objects = objects
        self._family: Family = family
        self._page_of = {number: place // self.PAGE for place, number in enumerate(objects)}
        self._urls: dict[int, str] = {}
        self._asking = threading.Lock()

    def url(self, number: int) -> str:
        """The URL of an object; the same one until `renew` says that it is of no use any more."""
        with self._asking:
            if number not in self._urls:
                start = self._page_of[number] * self.PAGE
                page = self._objects[start : start + self.PAGE]
                self._urls.update(self._client.download_urls(self._digest, page, family=self._family))
            try:
                return self._urls[number]
            except KeyError:
                raise unexpected("urls") from None

    def renew(self, number: int, url: str) -> None:
        """`url` was refused: ask again the next time, unless another thread has done so."""
        with self._asking:
            if self._urls.get(number) == url:
                start = self._page_of[number] * self.PAGE
                for old in self._objects[start : start + self.PAGE]:
                    self._urls.pop(old, None)
