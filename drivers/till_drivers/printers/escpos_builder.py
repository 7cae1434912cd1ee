"""The door to python-escpos: imported here, once, when the first slip is made.

Its import does four things that a daemon can't have: it parses 0.3 MB of printer descriptions as YAML (0.2 s), leaves a
directory with a pickle of them in the temporary directory on each start, adds a handler to the root logger, and some of
its functions print to stdout. So it is given our own small descriptions while it is imported, its leavings are removed,
and the functions that print are not used.
"""

import functools
import logging
import os
import shutil
import threading
from importlib.resources import as_file, files
from typing import Any

from till_drivers.printers.profile import Profile

_CAPABILITIES_KEY = "ESCPOS_CAPABILITIES_FILE"
_PICKLES_KEY = "ESCPOS_CAPABILITIES_PICKLE_DIR"
_importing = threading.Lock()


@functools.cache
def _load() -> tuple[type[Any], type[Any]]:
    """The classes Dummy and Profile of python-escpos."""
    with _importing:
        handlers = list(logging.root.handlers)
        level = logging.root.level
        before = {key: os.environ.get(key) for key in (_CAPABILITIES_KEY, _PICKLES_KEY)}
        with as_file(files("till_drivers.printers") / "capabilities.json") as path:
            os.environ[_CAPABILITIES_KEY] = str(path)
            os.environ.pop(_PICKLES_KEY, None)
            try:
                from escpos import capabilities
                from escpos.printer.dummy import Dummy
            finally:
                for key, value in before.items():
                    if value is None:
                        os.environ.pop(key, None)
                    else:
                        os.environ[key] = value
        for handler in [handler for handler in logging.root.handlers if handler not in handlers]:
            logging.root.removeHandler(handler)
        logging.root.setLevel(level)
        shutil.rmtree(capabilities.pickle_dir, ignore_errors=True)
        return Dummy, capabilities.Profile


def new_dummy(profile: Profile) -> Any:
    """A `Dummy` for one job, which collects bytes for a printer of this profile."""
    dummy_class, profile_class = _load()
    description = profile_class(columns=profile.columns, features={"paperFullCut": True, "paperPartCut": True})
    description.profile_data = {
        "name": "tillside",
        "media": {"width": {"mm": 0, "pixels": profile.width_dots}},
        "codePages": {str(profile.code_page_number): profile.code_page.upper()},
        "fonts": {"0": {"name": "Font A", "columns": profile.columns}},
    }
    return dummy_class(profile=description)
