"""Every error of the HTTP client has a name of ours."""

from __future__ import annotations

import aiohttp
import pytest

from router.errors import UpstreamFailed
from router.upstream import mapped_errors


def family(kind: type[BaseException]) -> list[type[BaseException]]:
    return [kind, *(member for child in kind.__subclasses__() for member in family(child))]


@pytest.mark.parametrize("kind", [*family(aiohttp.ClientError), TimeoutError, ConnectionResetError])
def test_no_error_of_the_client_library_is_unmapped(kind: type[BaseException]) -> None:
    with pytest.raises(UpstreamFailed), mapped_errors("http://engine"):
        raise kind.__new__(kind)
