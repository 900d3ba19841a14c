"""The programs that the tests want of the machine: found, or installed from Debian, or missed aloud."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
MINI_BROWSERS = "usr/lib/*/webkit2gtk-4.*/MiniBrowser"  #: beneath the root; Debian puts it on no PATH


class Missing(Exception):
    """The tests cannot run here; the text is for whoever reads the summary."""


def find_chromium() -> str:
    """Its program, as of all here. Raises Missing."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return install("chromium", os.environ.get("CHROMIUM"), names)


def find_firefox() -> str:
    return install("firefox-esr", os.environ.get("FIREFOX"), ("firefox-esr", "firefox"))


def find_webkit() -> str:
    """Its driver, once there are the browser that it drives and a screen for that."""
    driver = install("webkit2gtk-driver", os.environ.get("WEBKIT_DRIVER"), ("WebKitWebDriver",))
    install("xvfb", None, ("Xvfb",))
    if mini_browser() is None:
        raise Missing(f"webkit2gtk-driver is here, but no /{MINI_BROWSERS}")
    return driver


def mini_browser() -> str | None:
    return next((str(path) for path in sorted(Path("/").glob(MINI_BROWSERS))), None)


def find_sound() -> None:
    """A sound server and its tools. Raises Missing."""
    install("pulseaudio", None, ("pulseaudio",))
    install("pulseaudio-utils", None, ("parec",))


def install(package: str, named: str | None, names: tuple[str, ...]) -> str:
    """Where a program lies: at `named`, or under one of its names, or where Debian's own has been put.

    Raises Missing; also where there is no Debian, or no right to install.
    """
    if named and not Path(named).exists():
        raise Missing(f"{package} is set to {named}, which does not exist")
    found = named or _found(names)
    if not found:
        _install(package)
        found = _found(names)
    if not found:
        raise Missing(f"apt-get installed no {package}")
    return found


def _found(names: tuple[str, ...]) -> str | None:
    return next((path for name in names if (path := shutil.which(name))), None)


def _install(package: str) -> None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Missing(f"no {package} here; install one, or name its path (CHROMIUM, FIREFOX, WEBKIT_DRIVER)")
    apt = ("apt-get", "-qq", "-y", "-o", "DPkg::Lock::Timeout=60")
    run((*apt, "update"), ROOT, "apt-get update failed")
    run((*apt, "install", "--no-install-recommends", package), ROOT, f"apt-get could not install {package}")


def run(command: tuple[str, ...], folder: Path, complaint: str) -> None:
    """Raises Missing with the complaint and the last line of what it said."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise Missing(f"{complaint}: {''.join(last)}")
