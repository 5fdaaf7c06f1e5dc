"""Print the shell commands of a checkout's README, in order."""

import re
import sys
from pathlib import Path

readme = (Path(sys.argv[1]) / "README.md").read_text(encoding="utf-8")
commands = re.findall(r"```sh\n(.*?)\n```", readme, re.DOTALL)
if len(commands) != 2:
    sys.exit(f"README.md holds {len(commands)} shell commands, not two")
print("\n".join(commands))
