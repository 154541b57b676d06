"""Frames in: cameras, streams, pictures, folders, videos and the built-in demo; `opening.open_source` picks one."""
