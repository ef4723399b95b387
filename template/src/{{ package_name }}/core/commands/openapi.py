"""`openapi`: the API's document, for generated clients and to compare two versions."""

import json

import typer
from uvicorn.importer import import_from_string


def print_document(application: str) -> None:
    """Print the OpenAPI document of the application, such as `package.main:app`, as JSON."""
    app = import_from_string(application)
    typer.echo(json.dumps(app.openapi(), indent=2, ensure_ascii=False))
