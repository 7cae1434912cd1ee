"""What can go wrong with Frontol's scenario.

ScriptError
+-- SettingsBlockError
"""


class ScriptError(Exception):
    """Raised when the scenario can't be put in place or read; one line that says what to do."""


class SettingsBlockError(ScriptError):
    """Raised when the settings at the top of a scenario aren't as `tillside frontol script install` writes them."""
