"""A camera as a scanner. The agent runs `scanner`, which imports nothing heavy; pictures are read in a child process.

`lines` is what the two say to each other; `child` runs `sources` (device, files, stream) and `eye` (`ladder` of
`decoders`, `stillness`, `sightings`). `mjpeg`, `sightings` and `lines` do no I/O and know no clock.
"""
