"""`python -m model_tools`: the same as the command `model-tools`."""

from model_tools.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
