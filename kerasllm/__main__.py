"""`python -m kerasllm` is the command line."""

from kerasllm.cli import main

if __name__ == "__main__":
    main()
