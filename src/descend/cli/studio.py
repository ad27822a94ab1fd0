"""descend studio: the local page."""

from __future__ import annotations

from descend.cli import options as o
from descend.cli.console import speak


def studio_command(
    file: o.StudioFile = None,
    host: o.Host = "127.0.0.1",
    port: o.Port = None,
    browser: o.Browser = True,
    max_upload: o.MaxUpload = 4096,
    max_rows: o.MaxRows = 20_000_000,
    lang: o.Lang = None,
    debug: o.Debug = False,
    help: o.Help = False,
) -> int:
    """Open the studio, until Ctrl-C."""
    from descend.studio.server import serve

    serve(
        file,
        host=host,
        port=port,
        browser=browser,
        most_upload=max_upload * 1024**2,
        most_rows=max_rows,
        lang=speak(),
    )
    return 0
