"""From a failing graph to the smallest one that fails in the same way, without what it is made from."""
