"""`python -m till_config` is the `tillside` command by a given interpreter."""

from till_config.main import main

if __name__ == "__main__":
    main()
