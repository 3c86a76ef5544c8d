"""get ADDRESS --zip FILE: a version as one file."""

import stat
import zipfile

import pytest

from tests.unit.transfer.conftest import fill


@pytest.fixture
def pushed(cluster, run, tmp_path):
    """A version with a program, a file deeper down and an empty folder."""
    model = fill(tmp_path / "model", {"run.sh": b"#!/bin/sh\n", "deep/er/ÿ.txt": b"text" * 1000, "none/": b""})
    (model / "run.sh").chmod(0o755)
    code, _, err = run("push", model, "--artifact", "price", "-q")
    assert code == 0, err


def test_everything_is_in_it(run, pushed, tmp_path):
    """Files with their modes, empty folders, and nothing else; its place holds no left-overs."""
    code, out, err = run("get", "price:v0", "--zip", tmp_path / "price.zip")
    assert code == 0, err
    assert out.split()[1].startswith("sha256:")
    with zipfile.ZipFile(tmp_path / "price.zip") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["deep/er/ÿ.txt", "none/", "run.sh"]
        assert archive.read("deep/er/ÿ.txt") == b"text" * 1000
        assert stat.S_IMODE(archive.getinfo("run.sh").external_attr >> 16) == 0o755
    assert not [path for path in tmp_path.iterdir() if "partial" in path.name]


def test_the_same_version_is_the_same_zip(run, pushed, tmp_path):
    """Byte for byte, whenever it is written."""
    for name in ("a.zip", "b.zip"):
        assert run("get", "price:v0", "--zip", tmp_path / name)[0] == 0
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_a_file_that_is_there_is_kept(run, pushed, tmp_path):
    """Another name is asked for."""
    (tmp_path / "price.zip").write_text("precious")
    code, _, err = run("get", "price:v0", "--zip", tmp_path / "price.zip")
    assert code == 1
    assert "is there already" in err
    assert (tmp_path / "price.zip").read_text() == "precious"


def test_damage_leaves_no_zip(run, pushed, registry, tmp_path):
    """Nothing that was not verified gets into one."""
    registry.objects.update({key: b"x" * len(data) for key, data in registry.objects.items()})
    assert run("get", "price:v0", "--zip", tmp_path / "price.zip")[0] == 1
    assert not (tmp_path / "price.zip").exists()


def test_without_a_version(run, pushed, tmp_path):
    """Wrong usage."""
    assert run("get", "--zip", tmp_path / "price.zip")[0] == 2
