"""Which error an answer of the API server is."""

from modelberth.runtime.errors import Invalid, error_from_answer


def test_an_apply_with_an_unknown_field_is_invalid_although_the_server_says_500():
    """Trying it again can never succeed, and the words belong to whoever wrote the field."""
    message = (
        "failed to create typed patch object (ns/x; apps/v1, Kind=Deployment): .spec.x: field not declared in schema"
    )
    error = error_from_answer(500, {"kind": "Status", "message": message})
    assert isinstance(error, Invalid)
    assert error.message == message
