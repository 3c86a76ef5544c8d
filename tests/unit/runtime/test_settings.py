"""Settings from the environment: complete, bounded, and every mistake named at once."""

from pathlib import Path

import pytest

from modelberth.runtime.settings import Settings, SettingsError

ENOUGH = {
    "MODELBERTH_NAMESPACE": "modelberth",
    "MODELBERTH_POD_NAME": "operator-0",
    "MODELBERTH_STORE_ENDPOINT": "https://minio.storage.svc:9000/",
    "MODELBERTH_STORE_ACCESS_KEY_FILE": "/secrets/access",
    "MODELBERTH_STORE_SECRET_KEY_FILE": "/secrets/secret",
    "MODELBERTH_LOADER_IMAGE": "modelberth:1",
}


def test_the_defaults_serve_the_whole_cluster():
    """With nothing but what has no default, the rest follows from it."""
    settings = Settings.from_environment(ENOUGH)
    assert settings.registry_url == "https://modelberth-registry.modelberth.svc"
    assert settings.watch_namespaces == ()
    assert settings.store.endpoint == settings.store.internal_endpoint == "https://minio.storage.svc:9000"
    assert settings.store.external_endpoint is None
    assert settings.store.access_key_file == Path("/secrets/access")


def test_given_values_count():
    """Every variable that is set is used."""
    given = {
        "MODELBERTH_WATCH_NAMESPACES": "a, b,",
        "MODELBERTH_LOG_LEVEL": "debug",
        "MODELBERTH_METRICS_PORT": "0",
        "MODELBERTH_STORE_EXTERNAL_ENDPOINT": "https://s3.example.org",
        "MODELBERTH_STORE_INTERNAL_ENDPOINT": "http://10.0.0.1:9000",
        "MODELBERTH_STORE_CA_FILE": "/ca.crt",
    }
    settings = Settings.from_environment({**ENOUGH, **given})
    assert settings.watch_namespaces == ("a", "b")
    assert (settings.log_level, settings.metrics_port) == ("DEBUG", 0)
    assert settings.store.external_endpoint == "https://s3.example.org"
    assert settings.store.internal_endpoint == "http://10.0.0.1:9000"
    assert settings.store.ca_file == Path("/ca.crt")


def test_everything_missing_is_named_at_once():
    """Nobody has to start the operator five times to learn five names."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({})
    for name in set(ENOUGH) - {"MODELBERTH_POD_NAME"}:
        assert f"{name} is not set" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("WORKERS", "0", "from 1 to 64"),
        ("WORKERS", "many", "from 1 to 64"),
        ("METRICS_PORT", "70000", "from 0 to 65535"),
        ("LOG_LEVEL", "loud", "one of DEBUG, INFO"),
        ("STORE_ENDPOINT", "minio:9000", "an address such as"),
        ("REGISTRY_URL", "ftp://x", "an address such as"),
    ],
)
def test_each_wrong_value_is_refused_with_what_it_should_be(name, value, words):
    """The message names the variable, shows what was found, and says what is wanted."""
    with pytest.raises(SettingsError, match=words) as caught:
        Settings.from_environment({**ENOUGH, f"MODELBERTH_{name}": value})
    assert f"MODELBERTH_{name}" in str(caught.value)
    assert repr(value) in str(caught.value)


def test_a_password_in_an_address_is_refused_and_not_repeated():
    """Addresses end up in logs; secrets belong into files."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({**ENOUGH, "MODELBERTH_STORE_ENDPOINT": "https://me:hush@minio:9000"})
    assert "hush" not in str(caught.value)
