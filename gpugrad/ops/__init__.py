"""The ops, by what they do: one row or one function each, with its gradient rule beside it."""
