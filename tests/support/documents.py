"""Interface documents, as tests ask them."""

import json

import jsonschema


def validator(document, schema):
    """A validator of a schema that refers to the components of an OpenAPI document."""
    whole = {"$defs": document["components"]["schemas"], **schema}
    return jsonschema.Draft202012Validator(
        json.loads(json.dumps(whole, default=float).replace("#/components/schemas/", "#/$defs/"))
    )


def resolved(document, node):
    """What a part of the document is, through its references."""
    while "$ref" in node:
        found = document
        for part in node["$ref"][2:].split("/"):
            found = found[part]
        node = found
    return node
