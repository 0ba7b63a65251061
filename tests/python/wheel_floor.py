"""Say what the wheels in a folder need of a system; ``make wheel`` ends with this.

The floor is read from the extension module itself: the newest symbol version of glibc it asks for. The tag in the file's name
must not promise an older one.
"""

from __future__ import annotations

import re
import sys
import zipfile
from pathlib import Path


def main() -> None:
    folder = Path(sys.argv[1])
    wheels = sorted(folder.glob("*.whl"))
    if not wheels:
        sys.exit(f"no wheel in {folder}")
    for wheel in wheels:
        needed = glibc_floor(wheel)
        tag = re.search(r"manylinux_(\d+)_(\d+)", wheel.name)
        size = wheel.stat().st_size / 1e6
        print(f"{wheel.name} ({size:.1f} MB)")
        print(f"  CPython 3.11 or later, glibc {needed[0]}.{needed[1]} or later")
        if tag is None:
            sys.exit("  the tag promises no glibc version: not a manylinux wheel")
        promised = (int(tag[1]), int(tag[2]))
        if promised < needed:
            sys.exit(f"  the tag promises glibc {promised[0]}.{promised[1]}: too old")


def glibc_floor(wheel: Path) -> tuple[int, int]:
    """The newest glibc symbol version named in the wheel's extension modules."""
    versions = {(2, 0)}
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith(".so"):
                found = re.findall(rb"GLIBC_(\d+)\.(\d+)", archive.read(name))
                versions |= {(int(major), int(minor)) for major, minor in found}
    return max(versions)


if __name__ == "__main__":
    main()
