"""Addresses and version names: one spelling, one parser."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelberth.content.addresses import Address, is_alias
from modelberth.content.errors import FormatError
from modelberth.content.versions import Version, first_version, is_version, object_name, split_object_name

DIGEST = "sha256:" + "0a" * 32

ADDRESSES = {
    "mnist": Address("mnist"),
    "team-a/mnist": Address("mnist", "team-a"),
    "mnist:production": Address("mnist", alias="production"),
    "mnist:latest": Address("mnist", alias="latest"),
    "team-a/mnist:v4": Address("mnist", "team-a", version="v4"),
    "mnist:1.1": Address("mnist", version="1.1"),
    f"mnist@{DIGEST}": Address("mnist", digest=DIGEST),
    f"ns/mnist@{DIGEST}": Address("mnist", "ns", digest=DIGEST),
    "mnist:v": Address("mnist", alias="v"),
    "mnist:va4": Address("mnist", alias="va4"),
    "housing#train": Address("housing", folder="train"),
    "ns/housing:v3#train/2024 a": Address("housing", "ns", version="v3", folder="train/2024 a"),
    "housing:reviewed#a#b@c": Address("housing", alias="reviewed", folder="a#b@c"),
    f"housing@{DIGEST}#train": Address("housing", digest=DIGEST, folder="train"),
}


@pytest.mark.parametrize(("text", "address"), ADDRESSES.items())
def test_an_address_is_read_and_written(text, address):
    """Every form is understood, and written as it was read."""
    assert Address.parse(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "name"),
        ("/mnist", "namespace"),
        ("a/b/c", "namespace"),
        ("Mnist", "name"),
        ("mnist:", "colon"),
        ("mnist:v04", "colon"),
        ("mnist:1.01", "colon"),
        ("mnist:1.2.3", "colon"),
        ("mnist:Production", "colon"),
        ("mnist:-x", "colon"),
        ("mnist:" + "a" * 41, "colon"),
        ("mnist@sha256:0a", "digest"),
        (f"mnist@{DIGEST.upper()}", "digest"),
        ("mnist@", "digest"),
        (f"mnist:v1@{DIGEST}", "both"),
        ("mnist\n", "name"),
        (":production", "name"),
        ("a" * 64, "name"),
        ("housing#", "folder"),
        ("housing:v3#/train", "folder"),
        ("housing:v3#train/", "folder"),
        ("housing:v3#../x", "folder"),
        ("housing:v3#a//b", "folder"),
        ("#train", "name"),
    ],
)
def test_what_is_no_address_is_refused_with_the_part_and_the_form(text, why):
    """The message names the wrong part and shows the form."""
    with pytest.raises(FormatError, match=why) as caught:
        Address.parse(text)
    assert "[namespace/]name" in str(caught.value)


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_an_error(text):
    """What is accepted is written back as it was."""
    with suppress(FormatError):
        assert str(Address.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "expected"), [("best", True), ("latest", True), ("v4", False), ("v04", False), ("", False), ("a-", False)]
)
def test_aliases_are_never_like_versions(text, expected):
    """`v` and digits is no alias name, whatever the digits."""
    assert is_alias(text) is expected


@pytest.mark.parametrize("text", ["v0", "v4", "v10", "1.0", "0.0", "12.34", "v99999999999", "12345.123456"])
def test_a_version_is_read_and_written(text):
    """Both ways of counting."""
    assert str(Version.parse(text)) == text
    assert is_version(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4",
        "v",
        "v04",
        "v-1",
        "1",
        "1.",
        ".1",
        "01.0",
        "1.00",
        "1.1.1",
        "v1 ",
        "v1\n",
        "V1",
        "v١",
        "v100000000000",
        "123456.123456",
    ],
)
def test_what_is_no_version_is_refused(text):
    """Leading zeros, other digits, other forms, and more than 12 characters."""
    assert not is_version(text)
    with pytest.raises(FormatError, match="version"):
        Version.parse(text)


def test_versions_are_ordered_as_numbers():
    """v10 comes after v9, and 1.10 after 1.9, and 2.0 after both."""
    assert [str(v) for v in sorted(map(Version.parse, ["v10", "v9", "v100"]))] == ["v9", "v10", "v100"]
    assert [str(v) for v in sorted(map(Version.parse, ["2.0", "1.10", "1.9"]))] == ["1.9", "1.10", "2.0"]


def test_the_next_version_counts_in_its_own_way():
    """v4 → v5, 1.9 → 1.10; the first ones are v0 and 1.0."""
    assert str(Version.parse("v4").next()) == "v5"
    assert str(Version.parse("1.9").next()) == "1.10"
    assert (str(first_version("Sequence")), str(first_version("Semantic"))) == ("v0", "1.0")
    assert (Version.parse("v4").versioning, Version.parse("1.9").versioning) == ("Sequence", "Semantic")


def test_object_names_are_split_at_the_last_dash():
    """An artifact's name may look like a version's itself."""
    assert object_name("mnist", "v4") == "mnist-v4"
    assert split_object_name("mnist-v4") == ("mnist", "v4")
    assert split_object_name("a-v1-1.1") == ("a-v1", "1.1")
    for name in ("mnist", "mnist-", "-v4", "mnist-x"):
        with pytest.raises(FormatError):
            split_object_name(name)
