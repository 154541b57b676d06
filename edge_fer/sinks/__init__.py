"""Results out: lines of JSON, tables, video, windows."""
