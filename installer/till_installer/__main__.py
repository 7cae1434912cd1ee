"""`python -m till_installer` is `tillside`: for those who know an interpreter, not a path of commands."""

from till_installer.start import main

main()
