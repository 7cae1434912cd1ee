"""Scanners: protocols without I/O (`framing`, `aim`, `gs1`, `keyboard_keys`, `hid_reports`), sources and drivers."""
