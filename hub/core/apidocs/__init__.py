"""Interface documents: OpenAPI, AsyncAPI, the handbook."""
