"""JSON documents as they come and go: decoding, pointers, differences, content codings, times as text."""
