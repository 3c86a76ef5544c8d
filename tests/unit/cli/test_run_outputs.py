"""What of a run's folder is sent, whatever the program has made of that folder."""

import os
import stat

import pytest

from modelberth.transfer.tidy import tidy
from tests.unit.cli.test_run_report import body, content, paths, report
from tests.unit.training.test_harness_processes import CLOSED

__all__ = ["report"]


def test_a_failure_keeps_its_reason_though_the_folder_is_gone(report, registry):
    """A program that has deleted its working directory, and raises: both are told, the exception first."""
    said = report(body(train="import shutil; shutil.rmtree(os.getcwd())\nraise ValueError('no rows')"))
    assert (said["status"], said["reason"], said["output"]) == ("Failed", "UserException", None)
    assert said["message"].startswith("ValueError: no rows in train(); the package's folder was removed")
    assert paths(registry, said["files"]) == ["log.txt", "packages.txt"]


@pytest.mark.parametrize(
    ("save", "says"),
    [
        ("import shutil; shutil.rmtree(os.getcwd())", "the package's folder was removed"),
        ("for name in os.listdir(): os.path.isfile(name) and os.unlink(name)", "is empty"),
    ],
)
def test_a_save_that_leaves_nothing_makes_no_version(report, registry, save, says):
    """No folder, or nothing in it."""
    said = report(body(save=save))
    assert (said["status"], said["reason"], said["output"]) == ("Failed", "BadOutput", None)
    assert says in said["message"]


@pytest.mark.parametrize("what", ["'../run'", "'..'"])
@pytest.mark.parametrize("at_once", [False, True])
def test_a_program_that_deletes_everything_of_ours_has_died(report, registry, what, at_once):
    """Before anybody has looked at it, or later: the lock is watched as a file that was opened before."""
    said = report(body(train=f"import shutil; shutil.rmtree({what}, ignore_errors=True)"), at_once=at_once)
    assert (said["status"], said["reason"], said["output"]) == ("Failed", "Killed", None)
    assert said["message"].startswith("the program's container ended without saying how")


def test_what_save_writes_elsewhere_is_in_no_version(report, registry):
    """Beside the package's folder it may write what it likes; only what is below it counts."""
    outside = "for name in ('../data/a', '../home/b', '../c', '../bin/d'): open(name, 'w').write('x')"
    said = report(body(save=outside + "\nopen('model.txt', 'w').write('m')"))
    assert paths(registry, said["output"]) == ["model.txt", "train.py"]
    assert paths(registry, said["files"]) == ["log.txt", "packages.txt"]


@pytest.mark.parametrize("where", ["package", "package/artifacts"])
def test_folders_that_were_shut_are_opened(tmp_path, where):
    """A folder without its owner's rights can neither be read nor moved; the owner may give them back."""
    folder = tmp_path / where
    folder.mkdir(parents=True)
    folder.chmod(0)
    assert tidy(str(folder)) == []
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


@pytest.mark.parametrize("where", ["artifacts", "."])
def test_folders_without_end_are_told(report, registry, where):
    """Deeper than anybody can walk: the rest is kept, and where it is the model's, there is no version."""
    dig = f"os.chdir({where!r})\nfor _ in range(400): os.mkdir('a'); os.chdir('a')\nos.chdir(here)"
    said = report(body(save=f"here = os.getcwd()\n{dig}\nopen('model.txt', 'w').write('m')"))
    assert "lies more than 199 folders deep" in said["message"]
    kept = "model.txt" in paths(registry, said["output"]) if said["output"] else False
    assert (said["status"], kept) == (("Succeeded", True) if where == "artifacts" else ("Failed", False))
    assert "log.txt" in paths(registry, said["files"])


def test_a_log_that_is_no_text_is_kept_byte_for_byte(report, registry):
    """In the file; in the report, which is text, every such byte is shown as one that is none."""
    said = report(body(train="os.write(1, b'caf\\xe9 \\xff\\xfe\\x00\\x1b[31m\\nlast')"))
    assert said["status"] == "Succeeded"
    assert content(registry, said["files"], "log.txt") == b"caf\xe9 \xff\xfe\x00\x1b[31m\nlast"
    assert said["logTail"] == ["caf\ufffd \ufffd\ufffd\ufffd\ufffd[31m", "last"]


def test_a_model_that_changes_while_it_is_sent_is_no_version(report, registry, tmp_path):
    """Somebody who still writes there: what was looked at is not what would be sent, and nothing is committed."""
    model = tmp_path / "modelberth" / "package" / "model.txt"

    def faults(method, kind, path):
        if kind == "uploads" and model.exists():
            model.write_text("another")

    registry.faults = faults
    said = report(body())
    assert (said["status"], said["reason"], said["output"]) == ("Failed", "BadOutput", None)
    assert "model.txt' changed during the push" in said["message"]


def test_artifacts_that_change_while_they_are_sent_cost_no_version(report, registry, tmp_path):
    """They are left out, and that is told; log and model are kept."""
    curve = tmp_path / "modelberth" / "files" / "artifacts" / "curve.txt"

    def faults(method, kind, path):
        if kind == "uploads" and curve.exists():
            curve.write_text("another")

    registry.faults = faults
    said = report(body(train="open('artifacts/curve.txt', 'w').write('1')"))
    assert (said["status"], said["filePaths"]) == ("Succeeded", [])
    assert "the artifacts were left out" in said["message"]
    assert paths(registry, said["output"]) == ["model.txt", "train.py"]
    assert paths(registry, said["files"]) == ["log.txt", "packages.txt"]


def test_a_program_without_output_leaves_an_empty_log(report, registry):
    """Neither its closed descriptors nor the empty file keep anything from being sent."""
    said = report(body(train=CLOSED))
    assert (said["status"], said["logTail"]) == ("Succeeded", [])
    assert paths(registry, said["files"]) == ["log.txt", "packages.txt"]


def test_what_a_program_makes_of_its_own_folder_is_no_way_out(report, registry, tmp_path):
    """A link in the place of the package's folder that leads to the run's own files is no folder of his."""
    save = "import shutil; here = os.getcwd(); shutil.rmtree(here); os.symlink('../run', here)"
    said = report(body(save=save))
    assert said["reason"] == "BadOutput"
    assert os.path.islink(tmp_path / "modelberth" / "package")
