"""Events: rules over what is seen, and what happens when one of them becomes true."""
