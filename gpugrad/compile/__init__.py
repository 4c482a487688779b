"""The kernel compiler: C source in, a loaded kernel out, and the plain definition wherever that is not possible."""
