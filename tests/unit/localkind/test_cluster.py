"""Addresses, records and locks of clusters."""

import ipaddress
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.localkind import cluster as records
from tests.localkind.host import LocalkindError


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELBERTH_LOCALKIND_STATE", str(tmp_path))


def record(name: str = "a", network: int = 160) -> records.Cluster:
    return records.Cluster(name, "control-plane", network, "secret", "/nowhere")


@given(st.integers(160, 223), st.integers(160, 223))
def test_addresses_of_two_networks_never_meet(first: int, second: int) -> None:
    """Pods, Services, the node and the host of a cluster lie in its own network, and apart from each other."""
    cluster, other = record(network=first), record(network=second)
    own = ipaddress.IPv4Network(cluster.cidr)
    pods, services = ipaddress.IPv4Network(cluster.pod_cidr), ipaddress.IPv4Network(cluster.service_cidr)
    assert pods.subnet_of(own)
    assert services.subnet_of(own)
    assert not pods.overlaps(services)
    for address in map(ipaddress.IPv4Address, (cluster.node_ip, cluster.host_ip)):
        assert address in own
        assert address not in pods
        assert address not in services
    assert ipaddress.IPv4Address(cluster.service_ip) in services
    assert ipaddress.IPv4Address(cluster.dns_ip) in services
    assert own.overlaps(ipaddress.IPv4Network(other.cidr)) == (first == second)


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    """What was saved is loaded again, and only its owner can read the password in it."""
    (tmp_path / "a").mkdir()
    record().save()
    assert records.load("a") == record()
    assert (tmp_path / "a" / "cluster.json").stat().st_mode & 0o077 == 0
    assert records.names() == ["a"]


def test_a_taken_network_is_not_given_again(tmp_path: Path) -> None:
    """A network in a record is taken, whether or not its cluster runs."""
    with records.free_network() as first:
        (tmp_path / "a").mkdir()
        record(network=first).save()
    with records.free_network() as second:
        assert second != first


@pytest.mark.parametrize("name", ["", "A", "-a", "a-", "a_b", "../a", "a" * 41])
def test_refuses_names_that_no_node_can_have(name: str) -> None:
    """A name that is no part of a host name, or would leave the state folder, is refused."""
    with pytest.raises(LocalkindError, match="lower-case letters, digits and dashes"):
        records.load(name)


def test_a_changed_cluster_is_locked_for_others(tmp_path: Path) -> None:
    """While one process holds a cluster, another one waits, and says for whom."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from localkind import cluster\n"
        "with cluster.exclusive('a'): print('mine now')"
    )
    package = Path(records.__file__).parent.parent
    command = [sys.executable, "-c", program, str(package)]
    with records.exclusive("a"):
        waiter = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert waiter.stderr is not None
        assert "another process is changing cluster a" in waiter.stderr.readline()
        assert waiter.poll() is None
    said, _ = waiter.communicate()
    assert said == "mine now\n"
    assert (tmp_path / "a").is_dir()
