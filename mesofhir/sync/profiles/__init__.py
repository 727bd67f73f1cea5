"""Our profiles at a server: installed there, and its validator asked."""
