"""The daemon on the till: sale desk, journal, cache, bridge, slips, command line."""
