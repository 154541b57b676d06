"""What FFmpeg may read of a file, whichever library it stands in.

It chooses among hundreds of formats by content, and some of the others are scripts and lists by which a file makes it
open other files and addresses.
"""

FILE_FORMATS = "mov,matroska,avi,mpegts,mpeg,mpegvideo,h264,hevc,av1,obu,ivf,flv,ogg,asf,mjpeg,yuv4mpegpipe,gif,m4v"
"""Kinds of video in files, by FFmpeg's names."""
FILE_PROTOCOLS = "file"
