"""Holds answers of `/ops/v1` to their declarations."""

import jsonschema_rs

from hub.http.ops import answer_schemas


def faults(kind, answer):
    """What in the whole answer is not as the declaration of its data says: nothing missing, nothing more."""
    components = {}
    schema = answer_schemas.envelope(kind, "Tested", components) | {"components": {"schemas": components}}
    check = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    return [f"{'/'.join(map(str, error.instance_path))}: {error.message}" for error in check.iter_errors(answer)]
