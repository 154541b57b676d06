"""Options for the page in the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from edge_fer.cli.options import Function, add_options

if TYPE_CHECKING:
    from edge_fer.sinks.web.settings import WebSettings


def web_options(function: Function) -> Function:
    """Add --serve and what belongs to it."""
    options = (
        click.option(
            "--serve",
            metavar="HOST:PORT",
            help="Show the live picture and numbers on a page, and take photos there: 127.0.0.1:8080 for this computer "
            "alone; any other address asks for a token.",
        ),
        click.option(
            "--serve-name",
            multiple=True,
            metavar="NAME",
            help="A further host name under which the page is reached, such as that of a proxy.",
        ),
        click.option(
            "--trusted-proxy",
            multiple=True,
            metavar="IP",
            help="Proxy whose X-Forwarded-For names its clients, by its address or network: limits then count those.",
        ),
        click.option(
            "--serve-token/--no-serve-token",
            default=False,
            help="Ask for the token on 127.0.0.1, too, as on computers with several users.",
        ),
    )
    return add_options(function, *options)


def web_settings(options: dict[str, Any]) -> WebSettings | None:
    """What is asked of the page; None where it is not asked for.

    Raises:
        ConfigError: an option is unusable.
    """
    from edge_fer.sinks.listening import parse_address
    from edge_fer.sinks.web.settings import WebSettings, parse_proxies

    if options["serve"] is None:
        return None
    return WebSettings(
        parse_address(options["serve"], "--serve", "127.0.0.1:8080"),
        tuple(options["serve_name"]),
        proxies=parse_proxies(options["trusted_proxy"], "--trusted-proxy"),
        token=options["serve_token"],
    )
