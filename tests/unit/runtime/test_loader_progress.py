"""The registry, asked for the loaders' progress over real sockets."""

from aiohttp import web

from modelberth.domain.rollouts import LoaderProgress
from modelberth.runtime.loader_progress import LoaderProgressClient


class _Clock:
    def __init__(self):
        self.seconds = 0.0

    def monotonic(self):
        return self.seconds

    def now(self):
        raise AssertionError("not needed")


async def _replica(answer):
    """A registry that answers with `answer()`, and the Authorization headers that it saw."""
    seen = []

    async def progress(request):
        seen.append(request.headers["Authorization"])
        return web.json_response(answer())

    app = web.Application()
    app.router.add_get("/v1/progress", progress)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, runner.addresses[0][1], seen


def _client(port, tmp_path, clock):
    token = tmp_path / "token"
    token.write_text("secret\n")
    return LoaderProgressClient(
        registry_url=f"http://127.0.0.1:{port}", token_file=token, ca_bundle=lambda: "", clock=clock
    )


def _entry(uid="p1", loaded=5, idle=0.5):
    return {"podUID": uid, "bytes": loaded, "total": 10, "idleSeconds": idle}


async def test_one_answer_serves_for_a_second(tmp_path):
    """Many rolls at once ask no more often than one."""
    runner, port, seen = await _replica(lambda: [_entry()])
    clock = _Clock()
    client = _client(port, tmp_path, clock)
    assert await client.read() == {"p1": LoaderProgress(5, 10, 0.5)}
    await client.read()
    assert seen == ["Bearer secret"]
    clock.seconds = 1.0
    await client.read()
    assert len(seen) == 2
    await runner.cleanup()


async def test_a_registry_that_does_not_answer_says_nothing(tmp_path):
    """None, not an empty answer: nobody's roll may count as stuck because of it."""
    runner, port, _ = await _replica(list)
    await runner.cleanup()
    assert await _client(port, tmp_path, _Clock()).read() is None


async def test_without_a_token_nothing_is_known(tmp_path):
    """The file may be missing for a moment while the pod starts."""
    client = _client(1, tmp_path, _Clock())
    (tmp_path / "token").unlink()
    assert await client.read() is None
