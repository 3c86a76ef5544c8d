"""What decides whether a built image can be used again."""

from pathlib import Path

import pytest

from tests.localkind import baseimage, imagebuild
from tests.localkind.host import LocalkindError

DOCKERFILE = """
# COPY commented.txt /
ARG BASE=python:3.13-slim-trixie
FROM ${BASE} AS build
COPY --chown=1:1 requirements.txt \\
     operator /src/
ADD ["with space.txt", "/"]
ADD https://example.org/x /x
RUN --mount=type=bind,source=constraints.txt,target=/c --mount=type=cache,target=/root pip install x
FROM ${BASE}
COPY --from=build /venv /venv
"""


def test_finds_every_input_of_a_dockerfile() -> None:
    """Sources of COPY, ADD and bind mounts are inputs; other stages, addresses, flags and comments are not."""
    assert list(imagebuild._copied(DOCKERFILE)) == ["requirements.txt", "operator", "with space.txt", "constraints.txt"]


def test_reads_the_base_from_its_argument() -> None:
    """The default of ARG BASE is the image to stand in for."""
    assert baseimage.wanted_by(DOCKERFILE) == "python:3.13-slim-trixie"
    assert baseimage.wanted_by("FROM scratch\n") is None


def test_refuses_a_base_that_debian_does_not_have() -> None:
    """An image that cannot be made from Debian's packages is refused with the argument that helps."""
    with pytest.raises(LocalkindError, match="pass --build-arg BASE="):
        baseimage.ensure("alpine:3.22")


class TestKey:
    """The cache key of an image."""

    def key(self, context: Path, **arguments: str) -> str:
        dockerfile = context / "Dockerfile"
        dockerfile.write_text("FROM scratch\nCOPY source /source\n")
        return imagebuild._key("localhost/x:1", dockerfile, context, arguments)

    @pytest.fixture
    def context(self, tmp_path: Path) -> Path:
        (tmp_path / "source").mkdir()
        (tmp_path / "source" / "a.py").write_text("a")
        return tmp_path

    def test_changes_with_what_is_copied(self, context: Path) -> None:
        """Another content, another file, another mode and another argument each make another image."""
        keys = [self.key(context), self.key(context, VERSION="2")]
        (context / "source" / "a.py").write_text("b")
        keys.append(self.key(context))
        (context / "source" / "b.py").write_text("")
        keys.append(self.key(context))
        (context / "source" / "b.py").chmod(0o755)
        keys.append(self.key(context))
        assert len(set(keys)) == len(keys)

    def test_ignores_what_is_not_copied(self, context: Path) -> None:
        """Files that no line names and compiled Python leave the key as it was."""
        before = self.key(context)
        (context / "notes.md").write_text("x")
        (context / "source" / "__pycache__").mkdir()
        (context / "source" / "__pycache__" / "a.pyc").write_text("x")
        assert self.key(context) == before

    def test_misses_are_named(self, context: Path) -> None:
        """A COPY of what is not there is refused before anything is built."""
        (context / "source" / "a.py").unlink()
        (context / "source").rmdir()
        with pytest.raises(LocalkindError, match="COPY source: there is nothing of this name"):
            self.key(context)
