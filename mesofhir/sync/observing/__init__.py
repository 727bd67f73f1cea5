"""What a server did to what was sent to it: read back, compared, remembered."""
