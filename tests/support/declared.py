"""Holds answers of `/ops/v1` to their declarations."""

import jsonschema_rs
import marshmallow as ma

from hub.http.ops import answer_schemas, answers


def faults(kind, answer):
    """What in the whole answer is not as the declaration of its data says: nothing missing, nothing more."""
    if isinstance(kind, type) and issubclass(kind, ma.Schema):
        return answers.envelope(kind)().validate(answer)
    components = {}
    schema = answer_schemas.envelope(kind, "Tested", components) | {"components": {"schemas": components}}
    check = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    return [f"{'/'.join(map(str, error.instance_path))}: {error.message}" for error in check.iter_errors(answer)]
