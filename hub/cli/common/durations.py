"""Durations on the command line, in the format of the workspace files: 800ms, 10s, 30m, 2h, 3d."""

from __future__ import annotations

from datetime import timedelta

import click

from hub.catalog.yaml import durations


class Span(click.ParamType[timedelta]):
    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        try:
            return value if isinstance(value, timedelta) else durations.parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
