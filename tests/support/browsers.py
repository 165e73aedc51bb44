"""Chromium and Firefox for the same test, with a network or without."""

from pathlib import Path

from support.firefox import Firefox
from support.tab import Tab

NAMES = ("chromium", "firefox")

# A proxy that nobody is, and which loopback goes through too.
NO_NETWORK = ("--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9",
              "--proxy-bypass-list=<-loopback>")
NO_NETWORK_PREFS = {
    "network.proxy.type": 1, "network.proxy.http": "127.0.0.1", "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1", "network.proxy.ssl_port": 9,
    "network.proxy.allow_hijacking_localhost": True}


def open_browser(name: str, offline: bool = False, downloads: Path | None = None) -> Tab | Firefox:
    """One of NAMES, to be entered."""
    if name == "firefox":
        return Firefox(NO_NETWORK_PREFS if offline else {}, downloads)
    return Tab(flags=NO_NETWORK if offline else (), downloads=downloads)
