"""The patterns of the CRDs and the parser of addresses agree on every spelling."""

import re

from hypothesis import example, given
from hypothesis import strategies as st

from modelberth.api import common
from modelberth.api.model_deployment import NAME_LIMIT
from modelberth.content.addresses import Address, is_alias, is_digest
from modelberth.content.versions import MAX_VERSION_LENGTH, is_version
from modelberth.domain.revisions import revision_name
from modelberth.domain.workloads import workload_name

spellings = st.text(alphabet="abv019-.:@/A_ \n", max_size=14)


def fits(pattern: str, limit: int, text: str) -> bool:
    """As the API server judges: RE2, where `$` is the end of the text and nothing else."""
    return len(text) <= limit and re.fullmatch(pattern.removeprefix("^").removesuffix("$"), text) is not None


@given(spellings)
@example("v4")
@example("a" * 40)
@example("a" * 41)
def test_aliases(text):
    """An alias that the CRD takes is one that an address can name, and the other way round."""
    crd = fits(common.ALIAS_PATTERN, common.ALIAS_LIMIT, text) and not re.fullmatch("v[0-9]+", text)
    assert crd == is_alias(text)


@given(st.one_of(spellings, st.from_regex(r"\A(v[0-9]{1,3}|[0-9]{1,2}\.[0-9]{1,2})\Z")))
@example("v" + "1" * 11)
@example("v" + "1" * 12)
@example("1.0\n")
def test_versions(text):
    """A version that the CRD takes is one that the content formats know, and the other way round."""
    assert fits(common.VERSION_PATTERN, common.VERSION_LIMIT, text) == is_version(text)


@given(st.text(alphabet="0123456789abcdefg", min_size=62, max_size=66).map(lambda tail: f"sha256:{tail}"))
@example("sha256:" + "a" * 64)
@example("sha256:" + "A" * 64)
def test_digests(text):
    """A digest is spelt one way only."""
    assert fits(common.DIGEST_PATTERN, common.DIGEST_LENGTH, text) == is_digest(text)


@given(st.from_regex(r"\A[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z"))
def test_names(text):
    """A name that the CRD takes can stand in an address."""
    assert fits(common.LABEL_PATTERN, common.LABEL_LIMIT, text)
    assert Address.parse(text).name == text


@given(st.from_regex(r"\A[a-z][-a-z0-9]{0,20}[a-z0-9]\Z"), st.from_regex(r"\A(v[1-9][0-9]{0,3}|[1-9]\.[1-9])\Z"))
def test_a_versions_object_name(artifact, version):
    """Artifact and version make an object name from which both can be read again."""
    name = f"{artifact}-{version}"
    assert fits(common.VERSION_NAME_PATTERN, common.VERSION_NAME_LIMIT, name)
    assert tuple(name.rsplit("-", 1)) == (artifact, version)


def test_the_longest_names_fit_where_they_go():
    """A version's name is a label's value; a deployment's name leaves room for what is built from it."""
    assert MAX_VERSION_LENGTH == common.VERSION_LIMIT
    assert common.ARTIFACT_NAME_LIMIT + len("-") + common.VERSION_LIMIT == common.LABEL_LIMIT
    assert len(revision_name("d" * NAME_LIMIT, "0" * 64)) == common.LABEL_LIMIT
    assert len(workload_name("d" * NAME_LIMIT)) <= common.LABEL_LIMIT
