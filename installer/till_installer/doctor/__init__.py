"""Looks a till over, tells what is wrong with it and mends what it safely can; and says whether it is ready to sell."""
