"""Print Headrace's dependencies as requirements for a machine without a GPU: onnxruntime instead of onnxruntime-gpu."""

from __future__ import annotations

import sys
from configparser import ConfigParser

__all__ = ["requirements"]


def requirements(setup_cfg: str) -> list[str]:
    """Return what setup.cfg asks for, with the onnxruntime for processors whatever the platform is.

    Args:
        setup_cfg: path of the file.

    Raises:
        ValueError: the file asks for no onnxruntime, so this script no longer knows what it replaces.
    """
    config = ConfigParser()
    with open(setup_cfg, encoding="utf-8") as file:
        config.read_file(file)
    asked = config["options"]["install_requires"].split("\n")
    kept = [line for line in asked if line and not line.startswith("onnxruntime-gpu")]
    plain = [line.partition(";")[0].strip() if line.startswith("onnxruntime") else line for line in kept]
    if not any(line.startswith("onnxruntime") for line in plain):
        raise ValueError(f"{setup_cfg} asks for no onnxruntime")
    return plain


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1])))
